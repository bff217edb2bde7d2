// Lanes of a subgroup are together anyway: their memory is ordered.
#version 450
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_GOOGLE_include_directive : require
#define MEET() subgroupMemoryBarrierShared()
#include "meet.glsl"
