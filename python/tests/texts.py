"""Small kernels that several tests use."""

SCALE = """
kernel scale(x: f32[M, N], s: f32) -> (y: f32[M, N]) {
  grid i: M
  block x (1, N) at (i, 0)
  block y (1, N) at (i, 0)

  y[...] = x[...] * s[...]
}
"""
STEP = """
kernel step(x: i32[N] inout, by: i32[N]) -> (old: i32[N], total: i32[N]) {
  old[...] = x[...]
  x[...] = x[...] + by[...]
  total[...] = x[...] * 2
}
"""
OUTSIDE = """
kernel outside(x: f32[4], at: i32) -> (y: f32[2, 4]) {
  grid i: 2
  y[i, :] = x[at[...] * i : 4]
}
"""


def copy_of(kind: str) -> str:
    """A kernel that copies one element type."""
    return f"kernel copied(x: {kind}[N]) -> (y: {kind}[N]) {{\n  y[...] = x[...]\n}}\n"
