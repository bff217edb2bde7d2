// 512 x 512 x 512 product of floats; see matmul.glsl.
#version 450
#extension GL_GOOGLE_include_directive : require
const uint N = 512u;
#include "matmul.glsl"
