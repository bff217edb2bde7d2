// Lanes of a subgroup meet at a barrier of their own.
#version 450
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_GOOGLE_include_directive : require
#define MEET() subgroupBarrier()
#include "meet.glsl"
