"""The bench's material: films that join and loop, and files of one's own."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import pytest

from gpu_qa.bench.film import Film, cached, cut, describe, loop, looped
from gpu_qa.bench.formats import parse_format
from gpu_qa.bench.run import film_of
from gpu_qa.errors import ConfigError
from tests.clips import cached_clip

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("spelled", ["h264:720p24", "hevc:1080p25", "av1:360p30", "h264:480p50", "h264:480p60"])
def test_films_join_without_a_gap(spelled: str) -> None:
    film = film_of(parse_format(spelled))
    seconds = Fraction(film["seconds"]).limit_denominator(48_000)
    assert (seconds * 48_000 / 1024).denominator == 1
    assert (seconds * film["rate"]).denominator == 1
    assert 3 <= seconds < 9


def test_larger_and_faster_films_have_more_bits_and_newer_codecs_fewer() -> None:
    rate = {spelled: film_of(parse_format(spelled))["bit_rate"] for spelled in ("h264:1080p25", "h264:2160p25")}
    assert rate["h264:1080p25"] == 8_000_000 < rate["h264:2160p25"] < 32_000_000
    assert film_of(parse_format("hevc:1080p25"))["bit_rate"] < 8_000_000


@pytest.mark.parametrize("spelled", ["vp9:1080p25", "h264:1080p29.97", "h264:63x63p25"])
def test_what_no_film_is_made_of_is_refused(spelled: str) -> None:
    with pytest.raises(ConfigError, match=r"films (can be made in|have)"):
        film_of(parse_format(spelled))


@pytest.mark.parametrize(("codec", "suffix"), [("hevc", ".ts"), ("av1", ".mp4")])
def test_films_come_in_other_codecs_and_loop(codec: Any, suffix: str, tmp_path: Path) -> None:
    film = Film(16 / 15, 128, 72, 100_000, rate=15, codec=codec, suffix=suffix)
    path = cached(film, tmp_path)
    facts = describe(looped(path, 3), synthesised=True)
    assert facts.video_codec in (codec, "libdav1d")
    assert facts.frames == 48
    assert facts.seconds == pytest.approx(3.2, abs=0.01)


def test_a_file_of_ones_own_is_cut_before_a_key_frame_and_loops_clean(tmp_path: Path) -> None:
    clip = cached_clip("own.mp4", seconds=5, size=(96, 64))
    path = cut(clip, tmp_path, most_s=3.5)
    assert path == cut(clip, tmp_path, most_s=3.5)
    whole = describe(clip, synthesised=False).frames
    part = describe(path, synthesised=False).frames
    assert 25 <= part < whole
    loop(path, 2, tmp_path / "twice.ts")
    with av.open(str(tmp_path / "twice.ts")) as container:
        frames = list(container.decode(video=0))
    assert len(frames) == 2 * part
    assert frames[0].key_frame
    assert not any(frame.is_corrupt for frame in frames)
