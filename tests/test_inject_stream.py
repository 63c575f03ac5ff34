"""Faults of coded packets and of the transport stream: what arrives, what does not, and what decoders say of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest

from gpu_qa.inject import InjectSettings, coded
from gpu_qa.inject.coded import slices
from gpu_qa.inject.transport import PACKET, first_time, shifted
from gpu_qa.inject.writer import Coding
from tests.clips import cached_clip
from tests.inject_clips import content, written

if TYPE_CHECKING:
    from pathlib import Path

FAST = InjectSettings(coding=Coding(preset="ultrafast"))
VIDEO_PID = 0x100


def clip() -> Path:
    return cached_clip("film.mp4", seconds=4, size=(320, 192))


def packets(path: Path, kind: str) -> list[tuple[float, bool, bytes]]:
    """Time, whether it is a key frame, and bytes of each packet of a track, in order of time."""
    with av.open(str(path)) as container:
        track: Any = container.streams.video[0] if kind == "video" else container.streams.audio[0]
        video: Any = container.streams.video[0]
        zero = float(video.start_time * video.time_base)
        found = [
            (float(packet.pts * packet.time_base) - zero, packet.is_keyframe, bytes(packet))
            for packet in container.demux(track)
            if packet.pts is not None
        ]
    return sorted(found, key=lambda item: item[0])


def continuity_errors(path: Path, pid: int) -> int:
    """How often the continuity counter of a PID is not the next one (ISO/IEC 13818-1 2.4.3.3)."""
    data, last, errors = path.read_bytes(), None, 0
    for at in range(0, len(data), PACKET):
        packet = data[at : at + PACKET]
        if ((packet[1] & 0x1F) << 8 | packet[2]) != pid or not packet[3] & 0x10:
            continue
        count = packet[3] & 0x0F
        errors += last is not None and count != (last + 1) % 16
        last = count
    return errors


@pytest.mark.parametrize("how", ["bytes", "slices"])
@pytest.mark.parametrize("codec", ["h264", "hevc", "mpeg2video"])
def test_packet_loss(codec: Any, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = InjectSettings(coding=Coding(video_codec=codec, preset="ultrafast"))
    truth = written(tmp_path / "a.ts", "packet_loss", 0.5, clip=clip(), settings=settings, how=how)
    with monkeypatch.context() as patch:
        # Zeros behind a picture are nothing to a decoder.
        patch.setattr(coded.PacketLoss, "_with_wrong_bytes", lambda _, data: data + b"\0")
        patch.setattr(coded.PacketLoss, "_with_slices_lost", lambda _, data: data + b"\0")
        written(tmp_path / "b.ts", "packet_loss", 0.5, clip=clip(), settings=settings, how=how)
    assert (truth.faults[0].start_s, truth.faults[0].end_s) == (1.0, 2.2)

    damaged, own = packets(tmp_path / "a.ts", "video"), packets(tmp_path / "b.ts", "video")
    assert [item[:2] for item in damaged] == [item[:2] for item in own]
    differs = np.array([one[2] != other[2] for one, other in zip(damaged, own, strict=True)])
    times = np.array([item[0] for item in damaged])
    inside = (times > 0.99) & (times < 2.19)
    assert not differs[~inside].any()
    # Each hits half of them, not the same ones.
    assert 12 <= differs[inside].sum() <= 28
    # A key frame follows, and mends everything.
    assert any(is_key and abs(at - 2.2) < 0.001 for at, is_key, _ in damaged)
    got, reference = content(tmp_path / "a.ts"), content(tmp_path / "b.ts")
    same = min(len(got.luma), len(reference.luma))
    assert same >= 95
    error = np.array(
        [
            np.abs(got.luma[index].astype(float) - reference.luma[near]).mean()
            for index, at in enumerate(got.pts_s)
            if abs(reference.pts_s[near := int(np.abs(reference.pts_s - at).argmin())] - at) < 0.001
        ]
    )
    assert error.max() > 2
    np.testing.assert_array_equal(error[:24], 0.0)
    assert error[-40:].max() < 0.5


def test_slices_are_found() -> None:
    settings = [b"\x00\x00\x00\x01\x67abc", b"\x00\x00\x01\x68de"]
    one, two = b"\x00\x00\x01\x65fghij", b"\x00\x00\x01\x41klm"
    data = b"".join([*settings, one, two])
    found = [data[low:high] for low, high in slices("h264", data)]
    assert found == [one, two]
    assert slices("hevc", b"\x00\x00\x01\x40\x01vps\x00\x00\x01\x02\x01trail") == [(8, 18)]
    assert slices("mpeg2video", b"\x00\x00\x01\xb3seq\x00\x00\x01\x00pic\x00\x00\x01\x01one") == [(14, 21)]


def test_transport_loss(tmp_path: Path) -> None:
    truth = written(tmp_path / "a.ts", "transport_loss", 0.2, clip=clip(), settings=FAST)
    written(tmp_path / "b.ts", "black", clip=clip(), settings=FAST)
    assert truth.faults[0].kind == "video.block_corruption"
    assert (truth.faults[0].start_s, truth.faults[0].end_s) == (1.0, 2.2)
    assert continuity_errors(tmp_path / "b.ts", VIDEO_PID) == 0
    assert continuity_errors(tmp_path / "a.ts", VIDEO_PID) > 5
    assert continuity_errors(tmp_path / "a.ts", VIDEO_PID + 1) == 0
    # The sound is whole.
    assert len(packets(tmp_path / "a.ts", "audio")) == len(packets(tmp_path / "b.ts", "audio"))


def test_missing_sound(tmp_path: Path) -> None:
    truth = written(tmp_path / "a.mp4", "missing", clip=clip(), settings=FAST)
    times = np.array([at for at, _, _ in packets(tmp_path / "a.mp4", "audio")])
    assert not ((times >= 1.0) & (times < 2.2)).any()
    assert np.diff(times).max() == pytest.approx(1.2, abs=0.05)
    assert np.sort(np.diff(times))[-2] < 0.03
    assert len(packets(tmp_path / "a.mp4", "video")) == 100
    assert (truth.faults[0].start_s, truth.faults[0].end_s) == (1.0, 2.2)


@pytest.mark.parametrize("track", ["both", "video", "audio"])
def test_gap(track: str, tmp_path: Path) -> None:
    truth = written(tmp_path / "a.ts", "gap", clip=clip(), settings=FAST, track=track)
    for kind in ("video", "audio"):
        times = np.array([at for at, _, _ in packets(tmp_path / "a.ts", kind)])
        hole = ((times >= 1.0 + 1e-4) & (times < 2.2 - 1e-4)).sum()
        assert (hole == 0) == (track in ("both", kind))
        assert times[-1] > 3.9
    assert truth.faults[0].start_s == pytest.approx(1.0, abs=0.025)
    assert truth.faults[0].end_s == pytest.approx(2.2, abs=0.025)
    if track != "audio":
        # What is left decodes without damage.
        assert len(content(tmp_path / "a.ts").luma) == 70
        with av.open(str(tmp_path / "a.ts")) as container:
            assert not any(frame.is_corrupt for frame in container.decode(video=0))


@pytest.mark.parametrize("jump_s", [60.0, -2.0])
def test_discontinuity(jump_s: float, tmp_path: Path) -> None:
    truth = written(tmp_path / "a.ts", "discontinuity", jump_s, clip=clip(), settings=FAST)
    assert (truth.faults[0].start_s, truth.faults[0].end_s) == (1.0, 1.0)
    with av.open(str(tmp_path / "a.ts"), options={"correct_ts_overflow": "0"}) as container:
        times = [
            float(packet.dts * packet.time_base)
            for packet in container.demux(container.streams.video[0])
            if packet.dts is not None
        ]
    steps = np.diff(times)
    jumps = np.flatnonzero(np.abs(steps) > 0.5)
    assert len(jumps) == 1
    assert steps[jumps[0]] == pytest.approx(jump_s + 0.04, abs=0.001)
    assert times[jumps[0]] - times[0] == pytest.approx(1.0, abs=0.13)
    assert len(times) == 100


def packet_with_times(pts: int, dts: int, pcr: int) -> bytes:
    def stamp(value: int, mark: int) -> bytes:
        return bytes(
            [
                mark << 4 | (value >> 30 & 7) << 1 | 1,
                value >> 22 & 0xFF,
                (value >> 15 & 0x7F) << 1 | 1,
                value >> 7 & 0xFF,
                (value & 0x7F) << 1 | 1,
            ]
        )

    clock = (pcr << 15 | 0x7E00 | 17).to_bytes(6, "big")
    field = bytes([7, 0x10]) + clock
    pes = b"\x00\x00\x01\xe0\x00\x00\x80\xc0\x0a" + stamp(pts, 3) + stamp(dts, 1)
    packet = bytes([0x47, 0x41, 0x00, 0x30]) + field + pes
    return packet + bytes(range(PACKET - len(packet)))


@pytest.mark.parametrize("ticks", [90_000, -5_000, 1 << 32])
def test_time_stamps_are_shifted(ticks: int, tmp_path: Path) -> None:
    wrap = 1 << 33
    pts, dts, pcr = 8_589_900_000, 8_589_890_000, 4_000_000_000
    packet = packet_with_times(pts, dts, pcr)
    wanted = packet_with_times((pts + ticks) % wrap, (dts + ticks) % wrap, (pcr + ticks) % wrap)
    assert shifted(packet, ticks) == wanted
    (tmp_path / "a.ts").write_bytes(wanted)
    assert first_time(tmp_path / "a.ts", VIDEO_PID) == (pts + ticks) % wrap
    assert first_time(tmp_path / "a.ts", 7) is None
    without = bytes([0x47, 0x01, 0x00, 0x10]) + bytes(184)
    assert shifted(without, ticks) == without
