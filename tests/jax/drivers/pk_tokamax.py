"""tokamax, through its own tests."""

from __future__ import annotations

from drivers import Suite, driver, stand_in

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


# ---- Mosaic GPU ----


@driver("tokamax")
def tokamax_mgpu_attention() -> Suite:
    """Attention, forward and backward."""
    return Suite(OPS + "attention.pallas_mosaic_gpu_test", most=6, platform="gpu")


@driver("tokamax")
def tokamax_mgpu_gated_linear_unit() -> Suite:
    """A gated linear unit."""
    return Suite(OPS + "gated_linear_unit.pallas_mosaic_gpu_test", most=4, platform="gpu")


@driver("tokamax")
def tokamax_mgpu_ragged_dot() -> Suite:
    """Grouped products, plain and quantised."""
    return Suite(OPS + "ragged_dot.pallas_mosaic_gpu_test", most=4, platform="gpu")
