"""Marks of tests that need a card: skipped without one; `GPU_QA_REQUIRE=cuda` makes the lack of one a failure.

And the fixture `gpu_qa_command`, which runs the command.
"""

from __future__ import annotations

import functools
import os

import pytest

from tests.command import gpu_qa_command  # noqa: F401 - a fixture is found by its name


@functools.cache
def _why_no_cuda() -> str:
    """Why CUDA kernels cannot run here; empty where they can."""
    try:
        from numba import cuda
    except ImportError as error:
        return f"numba-cuda does not import: {error}"
    return "" if cuda.is_available() else "no CUDA device"


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("needs_cuda") is None:
        return
    reason = _why_no_cuda()
    if reason and os.environ.get("GPU_QA_REQUIRE") == "cuda":
        pytest.fail(f"GPU_QA_REQUIRE=cuda, but: {reason}")
    if reason:
        pytest.skip(reason)
