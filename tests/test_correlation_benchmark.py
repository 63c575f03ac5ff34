from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from benchmarks import correlation, result
from benchmarks.result import CorrelationResult
from gpu_qa_kernels.cross_correlation.reference import cross_correlation_reference

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _torch_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_measures_every_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correlation, "SHAPES", {"short": (8.0, 1.0)})
    output = tmp_path / "correlation.json"

    assert correlation.main(["--rounds", "2", "--streams", "1,3", "--output", str(output)]) == 0

    document = result.read(CorrelationResult, json.loads(output.read_text(encoding="utf-8")))
    found = [(case.side, case.streams) for case in document.cases]
    assert found == [(side, 1) for side in ("batched", "64 MiB a part", "one by one", "direct", "torch")] + [
        (side, 3) for side in ("batched", "64 MiB a part", "one by one", "torch")
    ]
    assert all(case.wall_ms.median > 0 and len(case.cpu_ms.values) == 2 for case in document.cases)
    assert {target.name for target in document.targets} >= {
        "short, 3 at once: wall time, one by one / batched",
        "short, 1 at once: wall time, direct / batched",
    }
    assert [one.band for one in document.placing] == [0.1, 0.3, 0.5, 0.8, 1.0] * 2
    assert all(one.interpolation < one.parabola for one in document.placing[1:5])
    even, weak, step = document.accuracy
    assert max(even.float64, weak.float64, step.float64) < 1e-6
    assert even.float32 < 1e-4 < min(weak.float32, step.float32)


def test_direct_sums_are_the_definition() -> None:
    a, b, valid = correlation.series(1, 300)
    got = correlation.direct(a[0], b[0], valid[0], 60, 50)
    expected = cross_correlation_reference(a, b, lags=(-60, 60), min_overlap=50, a_valid=valid, b_valid=valid)
    np.testing.assert_allclose(got, expected.coefficient[0], rtol=0, atol=1e-9)


def test_a_side_that_finds_other_peaks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correlation, "SHAPES", {"short": (8.0, 1.0)})
    monkeypatch.setattr(correlation, "direct", lambda *_: np.eye(1, 201, 7)[0])
    with pytest.raises(RuntimeError, match="short, 1 at once: direct finds other peaks"):
        correlation.measured("short", 1, "cpu", 1)
