// 1024 x 1024 x 1024 product of floats; see matmul.glsl.
#version 450
#extension GL_GOOGLE_include_directive : require
const uint N = 1024u;
#include "matmul.glsl"
