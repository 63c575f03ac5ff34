"""The fault injector: what it writes, what it says, what it refuses."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from contextlib import contextmanager
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest

from gpu_qa.errors import ConfigError, OutputError, SourceError
from gpu_qa.inject import FAULTS, InjectSettings, inject, parse_planting, truth_json
from gpu_qa.inject.reader import ClipReader
from gpu_qa.inject.registry import planting
from gpu_qa.inject.writer import Coding
from tests.clips import cached_clip, make_clip
from tests.inject_clips import LOSSLESS, base_clip, clean, content, written

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
MP4 = InjectSettings(coding=Coding(preset="ultrafast"))


def test_a_clean_copy_is_the_clip(tmp_path: Path) -> None:
    truth = inject(base_clip(), tmp_path / "copy.mkv", (), LOSSLESS)

    copy, own = content(tmp_path / "copy.mkv"), clean()
    np.testing.assert_array_equal(copy.luma, own.luma)
    np.testing.assert_array_equal(copy.chroma, own.chroma)
    np.testing.assert_allclose(copy.pts_s, own.pts_s)
    np.testing.assert_array_equal(copy.sound, own.sound)
    assert truth.faults == ()
    assert truth.duration_s == pytest.approx(3.0)


def test_the_truth_says_what_was_planted(tmp_path: Path) -> None:
    truth = written(tmp_path / "a.mkv", "freeze_noisy", 1.5, seed=9)

    document = json.loads(json.dumps(truth_json(truth), allow_nan=False))
    assert document["schema"] == 1
    assert (document["clip"], document["file"]) == ("base.mkv", "a.mkv")
    assert (document["video_codec"], document["audio_codec"]) == ("ffv1", "pcm_s16le")
    assert (document["width"], document["height"], document["frame_rate"]) == (192, 128, 25.0)
    assert (document["sample_rate"], document["channel_layout"]) == (48_000, "stereo")
    assert document["faults"] == [
        {
            "fault": "freeze_noisy",
            "kind": "video.freeze",
            "start_s": 1.0,
            "end_s": 2.2,
            "strength": 1.5,
            "unit": "8-bit codes",
            "seed": 9,
            "options": {},
        }
    ]


def test_times_are_those_of_the_pictures_and_samples_that_changed(tmp_path: Path) -> None:
    picture = planting(FAULTS["black"], start_s=1.01, duration_s=0.5)
    sound = planting(FAULTS["silence"], start_s=1.01, duration_s=0.5)
    truth = inject(base_clip(), tmp_path / "a.mkv", [picture, sound], LOSSLESS)

    # At 25 pictures per second the first one behind 1.01 s is at 1.04, the first one behind 1.51 s at 1.52.
    assert (truth.faults[0].start_s, truth.faults[0].end_s) == (1.04, 1.52)
    assert (truth.faults[1].start_s, truth.faults[1].end_s) == (1.01, 1.51)
    changed = content(tmp_path / "a.mkv")
    np.testing.assert_array_equal(np.flatnonzero(changed.luma.max(axis=(1, 2)) <= 16), np.arange(26, 38))
    is_still = (changed.sound == 0).all(axis=0)  # so is a sample where the tone crosses zero
    assert is_still[48_480:72_480].all()
    assert not is_still[[48_479, 72_480]].any()
    is_still[48_480:72_480] = False
    assert not (is_still[1:] & is_still[:-1]).any()


def test_a_fault_at_the_end_ends_with_the_clip(tmp_path: Path) -> None:
    chosen = [planting(FAULTS[name], start_s=2.5, duration_s=9.0) for name in ("black", "silence")]
    truth = inject(base_clip(), tmp_path / "a.mkv", chosen, LOSSLESS)
    assert [(fault.start_s, fault.end_s) for fault in truth.faults] == [(2.52, 3.0), (2.5, 3.0)]


def test_faults_are_planted_in_their_order(tmp_path: Path) -> None:
    black, noisy = (planting(FAULTS[name], start_s=1.0, duration_s=1.0) for name in ("black", "freeze_noisy"))
    inject(base_clip(), tmp_path / "noise.mkv", [black, noisy], LOSSLESS)
    inject(base_clip(), tmp_path / "black.mkv", [noisy, black], LOSSLESS)
    assert content(tmp_path / "noise.mkv").luma[30].std() > 0.5
    assert content(tmp_path / "black.mkv").luma[30].std() == 0.0


RANDOM = ("freeze_noisy", "block_corruption", "hiss", "click", "dropout")


@pytest.mark.parametrize("name", RANDOM)
def test_the_same_seed_gives_the_same_file(name: str, tmp_path: Path) -> None:
    for file, seed in (("a.mkv", 3), ("b.mkv", 3), ("c.mkv", 4)):
        written(tmp_path / file, name, seed=seed)
    a, b, c = ((tmp_path / file).read_bytes() for file in ("a.mkv", "b.mkv", "c.mkv"))
    assert a == b
    assert a != c


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_containers(suffix: str, tmp_path: Path) -> None:
    truth = written(tmp_path / f"a{suffix}", "black", settings=MP4)
    got = content(tmp_path / f"a{suffix}")
    first = got.pts_s[0]
    dark = np.flatnonzero(got.luma.mean(axis=(1, 2)) < 20)
    np.testing.assert_array_equal(dark, np.arange(25, 55))
    np.testing.assert_allclose(got.pts_s - first, np.arange(75) / 25, atol=0.0011)
    assert truth.faults[0].end_s == 2.2
    # AAC adds what its filters need at the ends.
    assert got.sound.shape[1] == pytest.approx(3 * 48_000, abs=3072)


@pytest.mark.parametrize(
    ("codec", "wanted"), [("h264", "yuv420p10le"), ("hevc", "yuv420p10le"), ("mpeg2video", "yuv420p")]
)
def test_depth_stays_where_the_encoder_can(codec: Any, wanted: str, tmp_path: Path) -> None:
    clip = cached_clip("ten.mkv", seconds=1, codec="ffv1", pixel_format="yuv420p10le", audio="mp2")
    settings = InjectSettings(coding=Coding(video_codec=codec, audio_codec="mp2", preset="ultrafast"))
    chosen = planting(FAULTS["solid_color"], start_s=0.2, duration_s=0.4, options={"color": "white"})
    truth = inject(clip, tmp_path / "a.ts", [chosen], settings)
    assert (truth.pixel_format, truth.audio_codec) == (wanted, "mp2")
    top = 940 if wanted.endswith("10le") else 235
    assert content(tmp_path / "a.ts").luma[10].mean() == pytest.approx(top, abs=top / 100)


def test_full_range_stays_and_faults_follow_it(tmp_path: Path) -> None:
    clip = cached_clip("full.mkv", seconds=1, codec="ffv1", full_range=True, audio=None)
    inject(clip, tmp_path / "a.mkv", [planting(FAULTS["black"], start_s=0.2, duration_s=0.4)], LOSSLESS)
    assert content(tmp_path / "a.mkv").luma[10].max() == 0
    with av.open(str(tmp_path / "a.mkv")) as container:
        assert next(container.decode(video=0)).color_range == 2


def test_variable_frame_rate_and_other_rates_stay(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.1, 0.3, 0.34, 0.5, 0.9, 0.94, 1.0, 1.2]
    clip = cached_clip("vfr.mkv", seconds=0.4, codec="ffv1", pts_s=tuple(times).__getitem__, audio=None)
    inject(clip, tmp_path / "a.mkv", [planting(FAULTS["black"], start_s=0.3, duration_s=0.3)], LOSSLESS)
    got = content(tmp_path / "a.mkv")
    np.testing.assert_allclose(got.pts_s, times, atol=0.001)
    np.testing.assert_array_equal(np.flatnonzero(got.luma.max(axis=(1, 2)) <= 16), [3, 4, 5])

    film = cached_clip("film.mp4", seconds=1, rate=Fraction(24_000, 1001), sample_rate=44_100, layout="mono")
    truth = inject(film, tmp_path / "film.mp4", (), MP4)
    assert truth.frame_rate == pytest.approx(23.976, abs=0.001)
    assert (truth.sample_rate, truth.channel_layout) == (44_100, "mono")


def test_the_clock_begins_with_the_first_picture(tmp_path: Path) -> None:
    late = cached_clip("late.ts", seconds=2, start_s=100.0, audio_start_s=0.5)
    truth = inject(late, tmp_path / "a.mkv", [planting(FAULTS["silence"], start_s=1.0, duration_s=0.5)], LOSSLESS)
    got = content(tmp_path / "a.mkv")
    assert truth.faults[0].start_s == 1.0
    # The half second before the sound is silence now, and what was planted lies a second behind the first picture.
    whole = got.sound[0][: got.sound.shape[1] // 480 * 480]
    level = np.abs(whole).reshape(-1, 480).max(axis=1)
    # The codec begins a block earlier.
    assert level[:47].max() == 0.0
    assert level[47] < 0.01
    assert level[55:95].min() > 0.1
    assert level[102:148].max() == 0.0


def test_a_part_of_a_clip_and_a_smaller_picture(tmp_path: Path) -> None:
    truth = inject(base_clip(), tmp_path / "a.mkv", (), InjectSettings(LOSSLESS.coding, seconds=1.0, height=64))
    got = content(tmp_path / "a.mkv")
    assert got.luma.shape == (25, 64, 96)
    assert got.sound.shape[1] == 48_000
    assert (truth.width, truth.height, truth.duration_s) == (96, 64, 1.0)


def test_memory_does_not_hold_the_clip(tmp_path: Path) -> None:
    """Twenty times the pictures, the same memory: measured in a process of its own."""
    peaks = []
    for seconds in (2, 40):
        clip = cached_clip("long.mp4", seconds=seconds, size=(320, 180), audio=None)
        words = (
            "import resource, sys; from gpu_qa.inject import *; from gpu_qa.inject.registry import planting;"
            "inject(sys.argv[1], sys.argv[2], [planting(FAULTS['freeze'], start_s=1, duration_s=1e3)]);"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        done = subprocess.run(
            [sys.executable, "-c", words, str(clip), str(tmp_path / "o.mp4")],
            check=True, capture_output=True, text=True, cwd=ROOT,
        )  # fmt: skip
        peaks.append(int(done.stdout) / 1024)
    # 40 s of it are 86 MB as pictures.
    assert peaks[1] - peaks[0] < 30


# --- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("freze", "did you mean freeze"),
        ("freeze:strength=2", "freeze has no strength"),
        ("hum:loud=2", "unknown key 'loud'"),
        ("hum:strength=9", "must be -80 to -6 dBFS"),
        ("hum:strength=x", "must be a number"),
        ("hum:frequency=5000", "must be 16 to 400"),
        ("hum:strength", "must be key=value"),
        ("hum:seed=-1", "must be a whole number"),
        ("hum:start=-1", "start must be 0 or more"),
        ("hum:duration=0", "duration more than 0"),
        ("flash:color=blue", "unknown color 'blue'"),
    ],
)
def test_plantings_that_are_refused(text: str, named: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(named)):
        parse_planting(text)


def test_plantings_are_read() -> None:
    base = planting(FAULTS["freeze"], start_s=7.0, duration_s=2.0, seed=5)
    chosen = parse_planting("flash:strength=4,area=0.3:color=red,duration=3", base)
    assert (chosen.fault.name, chosen.strength, chosen.start_s, chosen.duration_s) == ("flash", 4.0, 7.0, 3.0)
    assert chosen.seed == 5
    assert chosen.options == {"area": 0.3, "contrast": 1.0, "color": "red"}


def refused(error: type[Exception], match: str, out: Path, *arguments: Any) -> None:
    with pytest.raises(error, match=match):
        inject(*arguments)
    assert list(out.iterdir()) == []


def test_clips_that_are_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    silent = cached_clip("silent.mp4", seconds=1, audio=None)
    mono = cached_clip("mono.mp4", seconds=1, layout="mono")
    blind = cached_clip("blind.mp4", seconds=1, codec=None)
    one = {name: [planting(FAULTS[name], start_s=0.2, duration_s=0.2)] for name in FAULTS}
    target = out / "a.mp4"
    refused(ConfigError, "suffix must be one of", out, base_clip(), out / "a.avi")
    refused(ConfigError, "has no sound", out, silent, target, one["hum"])
    refused(ConfigError, "has no picture", out, blind, target, one["black"])
    refused(ConfigError, "one channel only", out, mono, target, one["dual_mono"])
    refused(ConfigError, r"must be a \.ts file", out, base_clip(), target, one["transport_loss"])
    refused(SourceError, "cannot be opened", out, tmp_path / "none.mp4", target)
    refused(OutputError, "No such file", out, silent, out / "none" / "a.mp4")
    refused(
        OutputError, "refuses this clip", out, cached_clip("odd.mkv", seconds=1, codec="ffv1", size=(191, 107)), target
    )
    late = [planting(FAULTS["black"], start_s=9.0)]
    refused(ConfigError, r"nothing was planted; the clip ends at 1\.00 s", out, silent, target, late)
    text = tmp_path / "text.mp4"
    text.write_text("no clip")
    refused(SourceError, "cannot be opened", out, text, target)


def test_a_clip_is_not_overwritten_by_itself(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "own.mp4", seconds=0.5)
    before = clip.read_bytes()
    with pytest.raises(ConfigError, match="is the clip itself"):
        inject(clip, clip)
    assert clip.read_bytes() == before


class Unreadable:
    """A container of which only the beginning can be read."""

    def __init__(self, container: Any, packets: int) -> None:
        self._container, self._packets = container, packets

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def demux(self, *streams: Any) -> Iterator[Any]:
        yield from islice(self._container.demux(*streams), self._packets)
        raise av.error.OSError(5, "Input/output error")


@pytest.mark.parametrize("packets", [0, 30])
def test_a_clip_that_cannot_be_read_on_is_blamed_itself(
    packets: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = ClipReader._opened

    @contextmanager
    def opened(reader: ClipReader) -> Iterator[Any]:
        with own(reader) as container:
            yield Unreadable(container, packets)

    monkeypatch.setattr(ClipReader, "_opened", opened)
    with pytest.raises(SourceError, match=r"base\.mkv: cannot be read any further: .*Input/output error"):
        inject(base_clip(), tmp_path / "a.mkv", (), LOSSLESS)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_clip_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "cut.ts", seconds=2)
    clip.write_bytes(clip.read_bytes()[:60_000])
    truth = inject(clip, tmp_path / "a.mkv", [planting(FAULTS["black"], start_s=0.2, duration_s=0.3)], LOSSLESS)
    assert 0.3 < truth.duration_s < 2.0
