/* Kiln: tile kernels in the model of JAX Pallas, on the host and on any Vulkan device. Includes the whole API. */
#ifndef KILN_KILN_H
#define KILN_KILN_H

#include "kiln/base.h"
#include "kiln/host.h"
#include "kiln/kernel.h"
#include "kiln/spirv.h"
#ifndef KILN_NO_VULKAN
#include "kiln/vulkan.h"
#endif

#endif
