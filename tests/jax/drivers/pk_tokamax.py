"""tokamax, through its own tests."""

from __future__ import annotations

from drivers import Suite, driver, stand_in, suites

stand_in("xprof")
OPS = "tokamax._src.ops."


@driver("tokamax")
def tokamax_router_topk() -> Suite:
    """The choice of experts."""
    return Suite(OPS + "router_topk.pallas_mosaic_tpu_test")


@driver("tokamax")
def tokamax_mhc() -> Suite:
    """Mixing of residual streams: before, after, and both in one."""
    return Suite(OPS + "mhc.mhc_test", most=8)


@driver("tokamax")
def tokamax_deepseek_rope() -> Suite:
    """Normalisation and rotary embedding."""
    return Suite(OPS + "deepseek_rope.deepseek_rope_test", most=4)


@driver("tokamax")
def tokamax_cross_entropy() -> Suite:
    """Linear layer, softmax and loss in one."""
    return Suite(OPS + "linear_softmax_cross_entropy_loss.pallas_mosaic_tpu_kernel_test")


@driver("tokamax")
def tokamax_lowrank_projection() -> Suite:
    """Grouped projections of low rank."""
    return Suite(OPS + "grouped_lowrank_proj.pallas_mosaic_tpu_kernel_test")


@driver("tokamax")
def tokamax_ragged_dot() -> Suite:
    """Grouped products."""
    return Suite(OPS + "ragged_dot.pallas_mosaic_tpu_test")


@driver("tokamax")
def tokamax_splash_attention() -> Suite:
    """A fork of JAX's splash attention."""
    return Suite(OPS + "experimental.tpu.splash_attention.splash_attention_kernel_test")


@driver("tokamax")
def tokamax_triton_attention() -> Suite:
    """Attention in Triton's style."""
    return Suite(OPS + "attention.pallas_triton_test", "*test_*", platform="gpu")


SUITES = {
    "batched_attention": "batched_rpa.pallas_mosaic_tpu_test",
    "causal_conv_delta_rule": "causal_conv1d_gated_delta_rule.pallas_mosaic_tpu_test",
    "compressor": "dsv4_compressor.pallas_mosaic_tpu_kernel_test",
    "csa_gather": "csa_gather.pallas_mosaic_tpu_kernel_test",
    "fused_fp8_matmul": "experimental.fused_fp8_matmul.pallas_mosaic_tpu_test",
    "fused_moe": "experimental.fused_moe.pallas_mosaic_tpu_test",
    "fused_moe_decode": "experimental.fused_moe_decode.pallas_mosaic_tpu_test",
    "gmm_v2": "gmm_v2.gmm_v2_test",
    "kda": "kda.pallas_mosaic_tpu_kernel_test",
    "lightning_indexer": "lightning_indexer.pallas_mosaic_tpu_test",
    "masked_mla": "masked_dense_mla.pallas_mosaic_tpu_kernel_test",
    "mla": "experimental.mla.pallas_mosaic_tpu_kernel_test",
    "mla_window": "experimental.mla_swa.pallas_mosaic_tpu_kernel_test",
    "projection_state": "proj_and_save_state.pallas_mosaic_tpu_kernel_test",
    "ragged_gather": "ragged_gather.pallas_mosaic_tpu_test",
    "ragged_gather_reduce": "ragged_gather_reduce.pallas_mosaic_tpu_test",
    "routing": "experimental.routing_moe.test.gmm_test",
    "sparse_mla": "sparse_mla.pallas_mosaic_tpu_kernel_test",
    "top_k": "topk.pallas_mosaic_tpu_kernel_test",
}

suites("tokamax", "tokamax_suite", "tokamax._src.ops", SUITES)
