"""Primitives that JAX runs on a CPU and Kiln refuses, with the reason; whatever is in no list is refused without one.

A new version of JAX may bring primitives that are in no list: test_matrix.py names them.
"""

REASONS = {
    "Kiln has no complex numbers": "complex conj fft imag real",
    "linear algebra is LAPACK's in JAX: do it outside the kernel": """cholesky cholesky_update eig eigh geqp3 geqrf
        hessenberg householder_product lu ormqr qr schur svd symmetric_product triangular_solve tridiagonal
        tridiagonal_solve""",
    "a kernel does not talk to the other devices of a mesh": """all_gather all_gather_done all_gather_invariant
        all_gather_reduced all_gather_reduced_start all_gather_start all_to_all all_to_all_done all_to_all_start
        global_array_to_host_local_array host_local_array_to_global_array pmax pmin ppermute ppermute_done
        ppermute_start precv preduced psend psum psum_done psum_invariant psum_invariant_start ragged_all_to_all
        reduce_scatter reduce_scatter_done reduce_scatter_start unreduced_pmax unreduced_pmin unreduced_psum
        unreduced_reduce_scatter vary_unreduced_cast""",
    "a kernel does not call Python": "debug_callback inspect_sharding io_callback pure_callback",
    "a kernel does not call other programs": """call_exported custom_fusion ffi_call mpmd_map pallas_call shard_map
        stage unreachable""",
    "it is made for cuDNN": """dot_product_attention_bwd_wrapper dot_product_attention_fp8_bwd_wrapper
        dot_product_attention_fp8_fwd_wrapper dot_product_attention_fwd_wrapper""",
    "its numbers differ between XLA's machines: use jax.random with threefry": "rng_bit_generator rng_uniform",
    "shapes are known when a kernel is exported": "dim_as_value dimension_size shape_assertion",
    "tokens, linear values and element types of a program's own have no place in a kernel": """after_all create_linear
        create_token from_edtype get_global pin to_edtype unpin""",
    "it is an instruction of one GPU": """inline_mgpu mgpu_atomic_store wgmma_accumulator_deref
        wgmma_accumulator_store wgmma_ref""",
}
REFUSED = {name: reason for reason, names in REASONS.items() for name in names.split()}
