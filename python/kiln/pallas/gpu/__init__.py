"""Kernels for GPUs (`plgpu`): meshes, barriers, copies, products and JAX's interpreter of them."""
