from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from gpu_qa import analyze
from gpu_qa.cli import main
from gpu_qa.config import Settings
from gpu_qa.errors import ConfigError, OutputError
from gpu_qa.sync_clip import BEEP_S, SyncClip, sound_of, write_sync_clip

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("rate", [Fraction(24), Fraction(30_000, 1001), Fraction(60)])
def test_flashes_are_where_the_clip_says(tmp_path: Path, rate: Fraction) -> None:
    path, clip = tmp_path / "clip.mkv", SyncClip(seconds=5.0, rate=rate, size=(96, 64))
    write_sync_clip(path, clip)
    with av.open(str(path)) as container:
        lit = [frame.time for frame in container.decode(video=0) if frame.to_ndarray()[:64].mean() > 200]
    starts = [at for at, before in zip(lit, [-1.0, *lit], strict=False) if at - before > 0.5]
    assert starts == pytest.approx(clip.flashes_s, abs=1e-3)


@pytest.mark.parametrize("offset_s", [-2.0, -0.1, 0.0, 0.4])
def test_beeps_come_sooner_by_the_offset(offset_s: float) -> None:
    clip = SyncClip(seconds=10.0, offset_s=offset_s)
    at_s = np.arange(480_000) / 48_000
    loud = np.abs(sound_of(at_s, clip.beeps_s)) > 0.02
    first = at_s[loud]
    starts = first[np.diff(first, prepend=-1.0) > BEEP_S]
    expected = [flash_s - offset_s for flash_s in clip.flashes_s if 0 <= flash_s - offset_s < 10.0]
    assert starts == pytest.approx(expected, abs=1e-3)


def test_distances_never_repeat() -> None:
    gaps = np.diff(SyncClip(seconds=60.0).flashes_s)
    assert len({round(gap / 0.04) for gap in gaps[:4].tolist()}) == 4
    assert gaps.min() >= 1.1
    assert gaps.max() <= 1.9


@pytest.mark.parametrize(
    "wrong", [{"seconds": 0.0}, {"rate": Fraction(0)}, {"size": (15, 16)}, {"offset_s": 61.0}, {"period_s": 0.1}]
)
def test_what_cannot_be_made_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        SyncClip(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(("rate", "offset_s", "period_s"), [(24, 0.1, 3.0), (25, 0.0, 1.5), (60, -0.4, 0.8)])
def test_the_shortest_clip_is_measured_and_a_shorter_one_refused(
    tmp_path: Path, rate: int, offset_s: float, period_s: float
) -> None:
    path = tmp_path / "short.mp4"
    clip = SyncClip(rate=Fraction(rate), size=(160, 90), offset_s=offset_s, period_s=period_s)
    clip = replace(clip, seconds=clip.least_s)
    write_sync_clip(path, clip)
    report = analyze(str(path), settings=Settings().select(["av_offset"]))
    assert report.measurements["av_offset_method"] == "marker"
    assert report.measurements["av_offset_s"] == pytest.approx(offset_s, abs=0.002)
    with pytest.raises(ConfigError, match="too short for 3 flashes"):
        replace(clip, seconds=clip.least_s - 0.01)


def test_the_command_says_how_long_a_clip_must_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["sync-clip", str(tmp_path / "clip.mp4"), "--seconds", "2"])
    assert ended.value.code == 2
    assert "must be 3.8 or more" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_command_writes_picture_and_sound(tmp_path: Path) -> None:
    out = tmp_path / "clip.mp4"
    with pytest.raises(SystemExit) as ended:
        main(["sync-clip", str(out), "--seconds", "4", "--size", "64x48", "--rate", "30000/1001", "--offset-ms", "-80"])
    assert ended.value.code == 0
    with av.open(str(out)) as container:
        names = [stream.codec_context.name for stream in container.streams]
    assert names == ["h264", "aac"]


def test_the_command_draws_flashes_within_frames(tmp_path: Path) -> None:
    out = tmp_path / "clip.mkv"
    with pytest.raises(SystemExit) as ended:
        main(["sync-clip", str(out), "--seconds", "4", "--size", "64x48", "--rate", "24", "--between-frames"])
    assert ended.value.code == 0
    clip = SyncClip(seconds=4.0, rate=Fraction(24), between_frames=True)
    with av.open(str(out)) as container:
        means = [frame.to_ndarray()[:48].mean() for frame in container.decode(video=0)]
    # The second flash begins within a frame, which is neither dark nor white.
    assert clip.flashes_s[1] * 24 % 1 == pytest.approx(0.125 + 1e-9, abs=0.5)
    assert 60 < means[int(clip.flashes_s[1] * 24)] < 230


@pytest.mark.parametrize("words", [["clip.xyz"], ["clip.mp4", "--size", "wide"], ["clip.mp4", "--rate", "1/0"]])
def test_the_command_refuses_what_it_cannot_write(tmp_path: Path, words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["sync-clip", str(tmp_path / words[0]), *words[1:]])
    assert ended.value.code == 2


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    clip = SyncClip(seconds=4.0, size=(64, 48))
    missing, taken = tmp_path / "missing" / "clip.mp4", tmp_path / "folder.mp4"
    taken.mkdir()
    for out in (missing, taken):
        with pytest.raises(OutputError, match=rf"{out.name}: cannot be written"):
            write_sync_clip(out, clip)

    def interrupted(at_s: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_sync_clip(tmp_path / "half.mp4", clip, on_progress=interrupted)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.mp4"]
