"""Every planted fault: what an event says of itself agrees, its value with its limit and its details."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import gpu_qa
from gpu_qa.inject import FAULTS, InjectSettings, inject
from gpu_qa.inject.registry import planting
from tests.clips import cached_clip
from tests.faulty_clip import CPU
from tests.inject_clips import LOSSLESS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gpu_qa.inject import Fault

_LEAST = frozenset(
    {"video.freeze", "video.blur", "video.color_loss", "audio.silence", "audio.phase_inversion", "audio.dual_mono"}
)
"""Kinds whose value is a defect up to their limit."""
_SAID: dict[str, Callable[[dict[str, Any]], float]] = {
    "video.block_corruption": lambda said: said["corrupted_area"],
    "video.black": lambda said: min(said["dark_area"] + said["overlay_area"], 1.0),
    "audio.dc_offset": lambda said: abs(said["mean"]),
    "audio.channel_loss": lambda said: said["other_dbfs"] - said["level_dbfs"],
    "audio.dropout": lambda said: max(said["lengths_ms"]),
    "audio.click": lambda said: max(said["above_db"]),
    "audio.hum": lambda said: max(said["lines_dbfs"]),
    "stream.discontinuity": lambda said: abs(said["jump_s"]),
    "stream.decode_error": lambda said: said["decode_errors"] + said["transport_errors"],
}
"""The value as the details have it."""


def _clip() -> Path:
    return cached_clip("agreement.mkv", seconds=9, codec="ffv1", audio="pcm_s16le", size=(192, 128), rate=25)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_value_limit_and_details_agree(fault: Fault, tmp_path: Path) -> None:
    is_lossless = fault.stage in ("picture", "sound")
    path = tmp_path / ("faulty.mkv" if is_lossless else "faulty.ts")
    chosen = planting(fault, start_s=3.0, duration_s=3.5)
    inject(_clip(), path, [chosen], LOSSLESS if is_lossless else InjectSettings())
    for event in gpu_qa.analyze(path, CPU).events:
        _check(event)


def _check(event: gpu_qa.Event) -> None:
    assert event.unit, event
    assert event.value is not None, event
    if event.severity != "info" and event.limit is not None:
        slack = 1e-6 * abs(event.limit)
        is_least = event.kind in _LEAST or event.details.get("cause") == "few_levels" or event.scope.endswith("quiet")
        over = event.limit - event.value if is_least else event.value - event.limit
        assert over >= -slack, event
    said = _SAID.get(event.kind)
    if said is not None:
        assert event.value == pytest.approx(said(event.details), rel=0.01, abs=1e-4), event
