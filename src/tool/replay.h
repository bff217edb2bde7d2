/* Commands that run something once more. */
#ifndef KILN_SRC_TOOL_REPLAY_H
#define KILN_SRC_TOOL_REPLAY_H

#include "tool/tool.h"

/* The running command as a shell takes it, without what says which schedules are run and where else things go. */
kiln_str replay_command(tool *t);

#endif
