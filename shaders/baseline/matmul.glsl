// Product of two N x N matrices of floats: 8 rows x 2 vec4 of accumulators per invocation, no shared memory, a read as
// vec4 along K, K unrolled by 4. N is set by the including file. A workgroup makes a block of 32 x 128.
layout(local_size_x = 64) in;
layout(set = 0, binding = 0) readonly buffer A { vec4 a[]; };
layout(set = 0, binding = 1) readonly buffer B { vec4 b[]; };
layout(set = 0, binding = 2) writeonly buffer C { vec4 c[]; };
layout(push_constant) uniform Range { uint first_unit, unit_end; };
const uint N4 = N / 4u, BLOCKS = N / 128u;

// Everything by name and not by index: SwiftShader keeps arrays in memory.
#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)
#define START(r) vec4 left##r = vec4(0.0), right##r = vec4(0.0);
#define LOAD(r) vec4 a##r = a[from + uint(r) * N4];
#define MULTIPLY_X(r) left##r += a##r.x * p, right##r += a##r.x * q;
#define MULTIPLY_Y(r) left##r += a##r.y * p, right##r += a##r.y * q;
#define MULTIPLY_Z(r) left##r += a##r.z * p, right##r += a##r.z * q;
#define MULTIPLY_W(r) left##r += a##r.w * p, right##r += a##r.w * q;
#define STORE(r) c[to + uint(r) * N4] = left##r, c[to + uint(r) * N4 + 16u] = right##r;
#define STEP(MULTIPLY) p = b[at], q = b[at + 16u], at += N4; EACH_ROW(MULTIPLY)

void main() {
  uint unit = first_unit + gl_WorkGroupID.x, block = unit % BLOCKS;
  uint rows = unit / BLOCKS * 32u + gl_LocalInvocationIndex / 16u * 8u;
  uint column = block * 32u + gl_LocalInvocationIndex % 16u, at = column, to = rows * N4 + column;
  vec4 p, q;
  EACH_ROW(START)
  for (uint from = rows * N4, end = from + N4; from < end; from++) {
    EACH_ROW(LOAD)
    STEP(MULTIPLY_X)
    STEP(MULTIPLY_Y)
    STEP(MULTIPLY_Z)
    STEP(MULTIPLY_W)
  }
  EACH_ROW(STORE)
}
