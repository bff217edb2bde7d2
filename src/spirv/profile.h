/* Profiles: what the compiler may know of a device. */
#ifndef KILN_SRC_SPIRV_PROFILE_H
#define KILN_SRC_SPIRV_PROFILE_H

#include "kiln/spirv.h"

/* The profile with every zero field replaced by the baseline's value. */
kiln_profile spv_profile_resolve(const kiln_profile *given);

#endif
