"""tpu-inference: its own tests of kernels, which its wheel has; kernels for SparseCore on less than those ask for."""

from __future__ import annotations

import dataclasses
from typing import Any
from unittest import mock

import jax.numpy as jnp
from jax.experimental.pallas import tpu as pltpu
from pretend import tensor_core

from drivers import Case, driver, integers, normal, stand_in, suites

stand_in("vllm", "torch", "torchax", "xprof", "ray", "transformers", "sympy")

SUITES = {
    "causal_conv1d": "causal_conv1d_test",
    "compress_store": "deepseek_v4.compress_store_test",
    "csa_gather": "deepseek_v4.csa_gather_test",
    "fused_gdn": "fused_gdn_kernel_test",
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
    "recurrent_scan": "recurrent_scan_test",
    "rope": "deepseek_v4.rope_test",
    "sparse_matmul": "spmm_v1_test",
    "sparse_mla": "deepseek_v4.sparse_mla_test",
    "stacked_attention": "stacked_rpa.stacked_rpa_test",
    "stacked_cache": "stacked_rpa.stacked_rpa_kv_writeback_test",
    "top_k": "deepseek_v4.test_streamindex_topk",
    "transpose": "transpose_test",
}

suites("tpu-inference", "tpu_inference", "tests.kernels", SUITES)


# ---- SparseCore ----

TYPES: dict[str, dict[str, Any]] = {"f32": {"dtype": jnp.float32}, "bf16": {"dtype": jnp.bfloat16}}


def _sparse_core(kernel: Any, inputs: list[Any], reference: Any) -> Case:
    """A kernel that is not left to XLA for its little input: there seems to be no other memory for it."""

    def run(*inputs: Any) -> Any:
        info = dataclasses.replace(pltpu.get_tpu_info(), vmem_capacity_bytes=0)
        with mock.patch.object(pltpu, "get_tpu_info", lambda: info):
            return kernel(*inputs)

    return Case(tensor_core(run), inputs, reference, 2e-2)


def _sums(x: Any, rows: Any) -> Any:
    """Four chosen rows each, added up."""
    return x[rows].astype(jnp.float32).reshape(-1, 4, x.shape[1]).sum(1).astype(x.dtype)


@driver("tpu-inference", **TYPES)
def tpu_inference_dense_gather_reduce(dtype: Any) -> Case:
    """Chosen rows, four of which make a row; pipelines whose blocks are fetched by number."""
    from tpu_inference.kernels.sparse_core import dense_gather_reduce as m

    def kernel(x: Any, rows: Any) -> Any:
        return m._sc_gather_reduce(x, rows, reduce_group_size=4, col_chunk_size=64, row_chunk_size=16)

    return _sparse_core(kernel, [normal(64, 128, dtype=dtype), integers(0, 64, 512)], _sums)


@driver("tpu-inference")
def tpu_inference_gather_reduce() -> Case:
    """The same by copies that the kernel starts."""
    from tpu_inference.kernels.sparse_core import gather_reduce as m

    def kernel(x: Any, rows: Any) -> Any:
        return m.sc_gather_reduce(x, rows, reduce_group_size=4, col_chunk_size=128, row_chunk_size=8)

    def reference(x: Any, rows: Any) -> Any:
        return _sums(x, rows).astype(jnp.bfloat16)

    return _sparse_core(kernel, [normal(64, 256), integers(0, 64, 1024)], reference)


@driver("tpu-inference", **TYPES)
def tpu_inference_ragged_gather(dtype: Any) -> Case:
    """Chosen rows, of which a range counts."""
    from tpu_inference.kernels.sparse_core import ragged_gather_v2 as m

    def kernel(x: Any, rows: Any) -> Any:
        return m.ragged_gather_v2(x, rows, jnp.array([32]), jnp.array([700]))[32:700]

    return _sparse_core(kernel, [normal(64, 256, dtype=dtype), integers(0, 64, 1024)], lambda x, rows: x[rows[32:700]])


@driver("tpu-inference", **TYPES)
def tpu_inference_ragged_scatter(dtype: Any) -> Case:
    """The way back."""
    from tpu_inference.kernels.sparse_core import ragged_scatter as m

    def kernel(x: Any, rows: Any) -> Any:
        return m.ragged_scatter(x, rows, jnp.array([0]), jnp.array([1024]))

    return _sparse_core(kernel, [normal(1024, 256, dtype=dtype), integers(0, 1024, 1024)], lambda x, rows: x[rows])
