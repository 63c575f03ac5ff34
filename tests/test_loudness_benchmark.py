"""The comparison with FFmpeg's `ebur128`: what it reads, how it counts, and that the page says what was measured."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from benchmarks import loudness
from benchmarks.loudness import Compared, Reading
from tests.clips import cached_clip, make_clip

if TYPE_CHECKING:
    from pathlib import Path


def lines_of(*steps: tuple[float, float, float]) -> list[str]:
    """FFmpeg's lines: time, integrated loudness, true peak until then."""
    return [
        line
        for at_s, integrated, peak in steps
        for line in (
            f"frame:1    pts:1    pts_time:{at_s}",
            f"lavfi.r128.I={integrated}",
            "lavfi.r128.LRA=4.5",
            "lavfi.r128.true_peaks_ch0=0.9",
            f"lavfi.r128.true_peak={peak}",
        )
    ]


def test_loudness_is_read_to_the_end_and_peaks_beyond() -> None:
    lines = lines_of((5.0, -30.0, 0.1), (5.1, -23.5, 0.25), (5.2, -24.0, 0.5))
    assert loudness.read(lines, 0.25) == Reading(-23.5, 4.5, -6.021)
    assert loudness.read([], 3.0) == Reading(None, None, None)
    assert loudness.read(lines_of((0.0, -70.0, 0.0)), 1.0) == Reading(None, 4.5, None)


def compared(clip: str, seconds: float, ours: Reading, ffmpeg: Reading) -> Compared:
    return Compared(clip, seconds, "aac", 48_000, 2, ours, ffmpeg)


def test_differences_count_what_both_sides_know() -> None:
    clips = [
        compared("a", 30.0, Reading(-23.0, 5.0, -1.0), Reading(-23.02, 5.1, -1.1)),
        compared("b", 5.0, Reading(-20.0, 3.0, -2.0), Reading(-20.01, 9.0, -2.0)),
        compared("c", 40.0, Reading(-20.0, None, -50.0), Reading(-20.5, 9.0, -52.0)),
    ]
    integrated, lra, peak = loudness.differences(clips)
    assert (integrated.clips, integrated.median, integrated.largest, integrated.clip) == (3, 0.02, 0.5, "c")
    # The short clip says nothing of the range, the quiet one nothing of the peak.
    assert (lra.clips, lra.largest, lra.clip) == (1, 0.1, "a")
    assert (peak.clips, peak.largest) == (2, 0.1)
    assert loudness.differences([])[0].clips == 0


@pytest.mark.needs_ffmpeg
@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")
def test_a_clip_is_compared(tmp_path: Path) -> None:
    one = loudness.compared(cached_clip("four.mp4", seconds=4), "four", tmp_path)
    assert isinstance(one, Compared)
    assert (one.codec, one.channels) == ("aac", 2)
    assert one.ours.integrated_lufs == pytest.approx(one.ffmpeg.integrated_lufs, abs=0.1)
    assert one.ours.true_peak_dbtp == pytest.approx(one.ffmpeg.true_peak_dbtp, abs=0.2)
    assert loudness.compared(cached_clip("short.mp4", seconds=1), "short", tmp_path) == "1.0 s of sound"
    silent = loudness.compared(make_clip(tmp_path / "mute.mp4", seconds=1, audio=None), "mute", tmp_path)
    assert silent == "no sound, or none that can be copied"


def test_the_page_says_what_was_measured() -> None:
    document = loudness.load()
    page = loudness.PAGE.read_text(encoding="utf-8")
    assert loudness.filled(page, document) == page
    assert loudness.differences(document.clips) == document.differences
    assert len(document.clips) >= 40
