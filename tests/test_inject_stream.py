"""Faults of coded packets and of the transport stream: what arrives, what does not, and what decoders say of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest

from gpu_qa.errors import ConfigError
from gpu_qa.inject import FAULTS, InjectSettings, coded, inject
from gpu_qa.inject.coded import slices
from gpu_qa.inject.registry import planting
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


def picture_times(path: Path) -> np.ndarray:
    """Presentation and decoding times of a transport stream's pictures as they arrive, [T, 2] seconds."""
    with av.open(str(path), options={"correct_ts_overflow": "0"}) as container:
        return np.array(
            [
                (float(packet.pts * packet.time_base), float(packet.dts * packet.time_base))
                for packet in container.demux(container.streams.video[0])
                if packet.pts is not None and packet.dts is not None
            ]
        )


@pytest.mark.parametrize("jump_s", [60.0, -2.0])
@pytest.mark.parametrize(
    ("preset", "at_s"), [("ultrafast", 1.0), ("veryfast", 1.0), ("veryfast", 1.08), ("veryfast", 1.12)]
)
def test_discontinuity(preset: str, at_s: float, jump_s: float, tmp_path: Path) -> None:
    """Also where pictures are coded in another order than they are shown in, as `veryfast` does."""
    settings = InjectSettings(coding=Coding(preset=preset))
    chosen = planting(FAULTS["discontinuity"], start_s=at_s, strength=jump_s)
    truth = inject(clip(), tmp_path / "a.ts", [chosen], settings)
    times = picture_times(tmp_path / "a.ts")
    assert (np.diff(times[:, 0]).min() < 0) == (preset == "veryfast" or jump_s < 0)
    assert len(times) == 100
    steps = np.diff(times[:, 1])
    jumps = np.flatnonzero(np.abs(steps) > 0.5)
    assert len(jumps) == 1
    assert steps[jumps[0]] == pytest.approx(jump_s + 0.04, abs=0.001)
    # What arrives behind the jump is shown behind it: in the order of the pictures, too, there is one.
    before, after = times[: jumps[0] + 1, 0], times[jumps[0] + 1 :, 0]
    assert after.min() - before.max() == pytest.approx(jump_s + 0.04, abs=0.001)
    start_s = after.min() - jump_s - before.min()
    assert [truth.faults[0].start_s, truth.faults[0].end_s] == pytest.approx([start_s, start_s])
    assert start_s == pytest.approx(at_s, abs=1e-6 if preset == "ultrafast" else 0.13)


@pytest.mark.parametrize("track", ["audio", "video"])
def test_shift(track: str, tmp_path: Path) -> None:
    """The timestamps of one track step once; the other's, and the clock, are those of the same clip without it."""
    settings = InjectSettings(coding=Coding(preset="ultrafast"))
    chosen = planting(FAULTS["shift"], start_s=1.0, strength=-0.3, options={"track": track})
    truth = inject(clip(), tmp_path / "a.ts", [chosen], settings)
    inject(clip(), tmp_path / "b.ts", [], settings)
    assert truth.faults[0].start_s == truth.faults[0].end_s == pytest.approx(1.0, abs=0.1)
    moved = {}
    for kind in ("audio", "video"):
        steps = []
        for name in ("a.ts", "b.ts"):
            with av.open(str(tmp_path / name)) as container:
                packets = container.demux(next(one for one in container.streams if one.type == kind))
                steps.append(np.array([float(one.pts * one.time_base) for one in packets if one.pts is not None]))
        moved[kind] = np.round(steps[0] - steps[1], 3)
    other = "video" if track == "audio" else "audio"
    assert set(moved[other]) == {0.0}
    assert set(moved[track]) == {0.0, -0.3}
    assert np.count_nonzero(np.diff(moved[track])) == 1


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


def test_what_has_no_slices_is_refused(tmp_path: Path) -> None:
    assert slices("ffv1", b"\x00\x00\x01\x05" * 9) == []
    with pytest.raises(ConfigError, match="packet_loss: ffv1 has no slices"):
        written(tmp_path / "a.mkv", "packet_loss")


@pytest.mark.parametrize("track", ["both", "video", "audio"])
def test_a_gap_behind_the_end_is_none(track: str, tmp_path: Path) -> None:
    late = planting(FAULTS["gap"], start_s=100.0, options={"track": track})
    with pytest.raises(ConfigError, match=r"nothing was planted; the clip ends at 4\.00 s"):
        inject(clip(), tmp_path / "a.ts", [late], FAST)


def test_a_gap_of_a_clip_without_picture(tmp_path: Path) -> None:
    sound = cached_clip("sound.mp4", seconds=4, codec=None)
    truth = written(tmp_path / "a.ts", "gap", clip=sound, settings=FAST)
    assert truth.faults[0].start_s == pytest.approx(1.0, abs=0.025)
    assert truth.faults[0].end_s == pytest.approx(2.2, abs=0.025)


@pytest.mark.parametrize(
    ("name", "track", "has_picture", "said"),
    [
        ("gap", "audio", True, "has no sound"),
        ("gap", "video", False, "has no picture"),
        ("missing", "", True, "has no sound"),
        ("packet_loss", "", False, "has no picture"),
        ("discontinuity", "", False, "has no picture"),
    ],
)
def test_tracks_that_are_not_there(name: str, track: str, has_picture: bool, said: str, tmp_path: Path) -> None:
    one = cached_clip("one.mp4", seconds=1, **({"audio": None} if has_picture else {"codec": None}))
    options: dict[str, Any] = {"track": track} if track else {}
    with pytest.raises(ConfigError, match=f"{name}: .* {said}"):
        written(tmp_path / "a.ts", name, clip=one, settings=FAST, **options)


def test_key_frames_are_spared(tmp_path: Path) -> None:
    every = InjectSettings(coding=Coding(preset="ultrafast", gop_s=0.01))
    with pytest.raises(ConfigError, match="nothing was planted; every picture there is a key frame"):
        written(tmp_path / "a.ts", "packet_loss", clip=clip(), settings=every)
