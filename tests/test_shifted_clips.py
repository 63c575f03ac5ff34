"""Shifts of one track in whole clips, from the file to the event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import av
import pytest

import gpu_qa
from gpu_qa.inject.transport import PACKET, shifted
from tests.clips import cached_clip

if TYPE_CHECKING:
    from pathlib import Path

    from gpu_qa.series import Event

VIDEO_PID, AUDIO_PID = 256, 257


def clip() -> Path:
    return cached_clip("shifts.ts", seconds=9, size=(96, 64))


def rewritten(path: Path, pid: int, by_s: float, *, at_s: float = 5.0) -> Path:
    """The clip, with the timestamps of one track stepping, its packets in the order in which they were."""
    data, has_begun = bytearray(clip().read_bytes()), False
    for at in range(0, len(data), PACKET):
        packet = bytes(data[at : at + PACKET])
        if (packet[1] & 0x1F) << 8 | packet[2] != pid or not packet[1] & 0x40:
            continue
        begin = 5 + packet[4] if packet[3] & 0x20 else 4
        has_begun = has_begun or _time_s(packet[begin + 9 : begin + 14]) >= at_s
        if has_begun:
            data[at : at + PACKET] = shifted(packet, round(by_s * 90_000), clock=False)
    path.write_bytes(data)
    return path


def _time_s(five: bytes) -> float:
    ticks = (five[0] >> 1 & 7) << 30 | five[1] << 22 | (five[2] >> 1) << 15 | five[3] << 7 | five[4] >> 1
    return ticks / 90_000


def remuxed(path: Path, by_s: float, *, drops_s: float = 0.0, at_s: float = 5.0) -> Path:
    """The clip in another container, its sound stepping, or missing, from a moment on; the muxer orders by time."""
    with av.open(str(clip())) as source, av.open(str(path), "w") as target:
        outputs = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is None or packet.pts is None:
                continue
            pts_s = float(packet.pts * packet.time_base)
            if source.streams[packet.stream_index].type == "audio":
                if at_s <= pts_s < at_s + drops_s:
                    continue
                if pts_s >= at_s:
                    packet.pts += round(by_s / packet.time_base)
                    packet.dts += round(by_s / packet.time_base)
            packet.stream = outputs[packet.stream_index]
            target.mux(packet)
    return path


def told(path: Path) -> tuple[list[Event], dict[str, Any]]:
    """The events that concern time, and what timestamps say of the sound."""
    report = gpu_qa.analyze(str(path))
    assert report.error is None
    (sync,) = report.measurements["av_timestamps"]
    return [event for event in report.events if event.kind.startswith("stream.")], sync


@pytest.mark.parametrize("by_s", [-0.3, 0.12, 0.3])
@pytest.mark.parametrize("track", ["audio", "video"])
def test_a_transport_stream_with_a_shift(track: str, by_s: float, tmp_path: Path) -> None:
    path = rewritten(tmp_path / "a.ts", AUDIO_PID if track == "audio" else VIDEO_PID, by_s)
    (event,), sync = told(path)
    assert (event.kind, event.severity, event.confidence, event.unit) == ("stream.discontinuity", "warn", 1.0, "s")
    assert event.start_s == pytest.approx(5.0, abs=0.2)
    assert event.value == pytest.approx(abs(by_s), abs=1e-3)
    assert event.limit == 0.1
    assert event.details["track"] == track
    assert event.details["alone"]
    assert event.details["jump_s"] == pytest.approx(by_s, abs=1e-3)
    is_late = (by_s > 0) == (track == "audio")
    assert event.message.endswith("sound is late from here on" if is_late else "sound is early from here on")
    assert sync["shift_s"] == pytest.approx(-abs(by_s) if is_late else abs(by_s), abs=1e-3)


@pytest.mark.parametrize("suffix", ["ts", "mp4", "mkv"])
@pytest.mark.parametrize("by_s", [0.12, 1.0])
def test_where_a_muxer_has_ordered_the_packets_a_shift_ahead_may_be_a_loss(
    by_s: float, suffix: str, tmp_path: Path
) -> None:
    events, sync = told(remuxed(tmp_path / f"a.{suffix}", by_s))
    (event,) = events
    assert event.kind == ("stream.discontinuity" if by_s < 0.5 else "stream.gap")
    assert event.confidence == (0.5 if by_s < 0.5 else 1.0)
    assert event.value == pytest.approx(by_s, abs=2e-3)
    assert sync["shift_s"] == 0.0


def test_sound_that_is_missing_is_told_with_the_doubt(tmp_path: Path) -> None:
    (event,), sync = told(remuxed(tmp_path / "a.ts", 0.0, drops_s=0.3))
    assert sync["shift_s"] == 0.0
    assert event.message.endswith("sound is late from here on, unless 0.30 s of it are missing")
    assert event.confidence == 0.5


@pytest.mark.parametrize("suffix", ["ts", "mp4", "mkv"])
def test_a_clip_without_a_shift_has_none(suffix: str, tmp_path: Path) -> None:
    events, sync = told(remuxed(tmp_path / f"a.{suffix}", 0.0))
    assert events == []
    assert sync["shift_s"] == 0.0
