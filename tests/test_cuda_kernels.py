from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.timeout(400)
def test_the_cuda_kernels_equal_their_definitions_in_the_simulator() -> None:
    """In a process of its own: numba decides for the simulator when it is imported."""
    pytest.importorskip("numba_cuda", reason="needs numba-cuda")
    environment = os.environ | {
        "NUMBA_ENABLE_CUDASIM": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "kernels")]),
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.cuda_cases"],
        capture_output=True,
        text=True,
        env=environment,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.needs_cuda
def test_the_cuda_kernels_equal_their_definitions_on_the_card() -> None:
    from gpu_qa_kernels.luma_stats.cuda import BLOCK
    from tests.cuda_cases import CASES, LARGE, audio_failures, luma_case_failures, profile_failures

    assert luma_case_failures({**CASES, **LARGE}, tiles=24 * 42, block=BLOCK) == []
    assert profile_failures(block=128) == []
    assert audio_failures() == []
