"""tpu-inference, through its own tests of kernels, which its wheel has."""

from __future__ import annotations

from drivers import Suite, driver, stand_in

stand_in("vllm", "torch", "torchax", "xprof", "ray", "transformers", "sympy")

SUITES = {
    "all_gather_matmul": "collectives.all_gather_matmul_kernel_test",
    "causal_conv1d": "causal_conv1d_test",
    "compress_store": "deepseek_v4.compress_store_test",
    "context_parallel_attention": "rpa_v3_cp.ragged_paged_attention_kernel_cp_test",
    "csa_gather": "deepseek_v4.csa_gather_test",
    "dense_gather_reduce": "dense_gather_reduce_test",
    "flash_attention": "flash_attention_kernel_test",
    "fused_gdn": "fused_gdn_kernel_test",
    "fused_moe": "fused_moe_v1_test",
    "gather_reduce": "gather_reduce_test",
    "gdn_attention": "gdn_attention_v3_test",
    "gdn_decode": "gdn_decode_kernel_test",
    "kv_cache_update": "ragged_kv_cache_update_v2_test",
    "mhc": "deepseek_v4.mhc_test",
    "mla": "deepseek_v4.mla_test",
    "mla_swa": "deepseek_v4.mla_swa_test",
    "mla_v2": "mla_v2_test",
    "o_projection": "deepseek_v4.o_projection_test",
    "paged_attention_v2": "ragged_paged_attention_kernel_v2_test",
    "paged_attention_v3": "ragged_paged_attention_kernel_v3_test",
    "paged_attention_v3_hd64": "ragged_paged_attention_kernel_v3_hd64_test",
    "quantized_matmul": "quantized_matmul_kernel_test",
    "ragged_gather": "ragged_gather_v2_test",
    "ragged_gather_reduce": "ragged_gather_reduce_v2_test",
    "ragged_scatter": "ragged_scatter_test",
    "recurrent_scan": "recurrent_scan_test",
    "rope": "deepseek_v4.rope_test",
    "sparse_matmul": "spmm_v1_test",
    "sparse_mla": "deepseek_v4.sparse_mla_test",
    "stacked_attention": "stacked_rpa.stacked_rpa_test",
    "stacked_cache": "stacked_rpa.stacked_rpa_kv_writeback_test",
    "top_k": "deepseek_v4.test_streamindex_topk",
    "transpose": "transpose_test",
}


@driver("tpu-inference", **{name: {"module": module} for name, module in SUITES.items()})
def tpu_inference(module: str) -> Suite:
    """The tests of one file."""
    return Suite(f"tests.kernels.{module}")
