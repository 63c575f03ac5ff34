"""Files at the pace at which they play: when each packet comes, across jumps and delays, and how soon a wait ends."""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

from gpu_qa.errors import SourceError
from gpu_qa.media import MediaFacts, Packet, Track
from gpu_qa.sources import SourceSettings, open_source
from gpu_qa.sources.paced import PacedSource
from tests.clips import cached_clip

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TICK = Fraction(1, 1000)
VIDEO = Track(0, "video", "h264", TICK, duration_s=9.0)
AUDIO = Track(1, "audio", "aac", TICK)


class Clock:
    """Time that passes only in sleeps, and where a test says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.sleeps_s: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.sleeps_s.append(seconds)
        self.now_s += seconds


@dataclass
class Native:
    """What is looked at of an `av.Packet`."""

    dts: int | None
    pts: int | None = None
    time_base: Fraction | None = TICK


def packet(at_s: float | None, track: Track = VIDEO, *, pts_s: float | None = None) -> Packet:
    def ticks(seconds: float | None) -> int | None:
        return None if seconds is None else round(seconds * 1000)

    return Packet(track, Native(ticks(at_s), ticks(pts_s)))


class Recording:
    """A source that gives its packets at once, as a file does."""

    limit_s = 7.0

    def __init__(self, packets: Sequence[Packet], error: SourceError | None = None) -> None:
        self.facts = MediaFacts("matroska", live=False, duration_s=9.0, tracks=(VIDEO, AUDIO))
        self.calls: list[str] = []
        self._packets = packets
        self._error = error

    def packets(self) -> Iterator[Packet]:
        yield from self._packets
        if self._error:
            raise self._error

    def interrupt(self) -> None:
        self.calls.append("interrupt")

    def close(self) -> None:
        self.calls.append("close")


def times_s(packets: Sequence[Packet], clock: Clock | None = None) -> list[float]:
    """When each packet comes, in seconds after the first."""
    clock = clock or Clock()
    source = PacedSource(Recording(packets), clock=clock, sleep=clock.sleep)
    seen = [clock.now_s for _ in source.packets()]
    return [round(at_s - seen[0], 6) for at_s in seen]


def test_each_packet_comes_when_it_plays() -> None:
    assert times_s([packet(5.0), packet(5.04), packet(5.08), packet(7.0)]) == [0, 0.04, 0.08, 2.0]


def test_tracks_share_the_clock_and_the_order_stays() -> None:
    packets = [packet(5.0), packet(5.4), packet(4.9, AUDIO), packet(5.3, AUDIO), packet(5.6, AUDIO), packet(5.8)]
    assert times_s(packets) == [0, 0.4, 0.4, 0.4, 0.6, 0.8]


def test_it_is_live_and_says_nothing_else_of_its_own() -> None:
    recording = Recording([])
    source = PacedSource(recording)
    assert source.facts == MediaFacts("matroska", live=True, duration_s=None, tracks=(VIDEO, AUDIO))
    assert source.limit_s == recording.limit_s
    source.close()
    assert recording.calls == ["close"]
    assert not hasattr(source, "name")


def test_who_asks_late_catches_up_and_then_keeps_time() -> None:
    clock = Clock()
    packets = [packet(n / 10) for n in range(30)]
    source = PacedSource(Recording(packets), clock=clock, sleep=clock.sleep)
    seen = []
    for number, _ in enumerate(source.packets()):
        seen.append(round(clock.now_s - 1000, 6))
        if number == 4:
            clock.now_s += 1.0  # busy with something else
    assert seen[:5] == [0, 0.1, 0.2, 0.3, 0.4]
    assert set(seen[5:15]) == {1.4}  # all that was due by then, at once
    assert seen[15:] == [pytest.approx(n / 10) for n in range(15, 30)]


@pytest.mark.parametrize(("step_s", "takes_s"), [(9.0, 9.0), (11.0, 0.0), (-0.5, 0.0), (-3.0, 0.0), (-95443.7, 0.0)])
def test_a_gap_takes_time_and_a_jump_takes_none(step_s: float, takes_s: float) -> None:
    start_s = 100_000.0
    packets = [packet(start_s), packet(start_s + 1), packet(start_s + 1 + step_s), packet(start_s + 2 + step_s)]
    after_s = 1 + takes_s if step_s != -0.5 else 0.5
    assert times_s(packets) == [0, 1, 1 + takes_s, after_s + 1]


def test_tracks_that_jump_one_after_the_other_do_not_lose_the_pace() -> None:
    before = [packet(at_s, track) for at_s in (0.0, 0.5, 1.0) for track in (VIDEO, AUDIO)]
    between = [packet(500.0, VIDEO), packet(1.4, AUDIO), packet(500.5, VIDEO), packet(1.9, AUDIO)]
    after = [packet(at_s, track) for at_s in (501.0, 501.5, 503.0) for track in (VIDEO, AUDIO)]
    seen = times_s([*before, *between, *after])
    assert seen == sorted(seen)
    assert seen[len(before)] == 1.0
    assert seen[-2] == pytest.approx(1.0 + 3.4, abs=0.5)  # 3 s of picture after the jump, and what the sound took
    steps = [b - a for a, b in itertools.pairwise(seen)]
    assert max(steps) <= 1.5


def test_packets_without_a_decoding_time_go_by_their_presentation_time() -> None:
    reordered = [0.0, 0.12, 0.04, 0.08, 0.24, 0.16, 0.20]
    assert times_s([packet(None, pts_s=at_s) for at_s in reordered]) == [0, 0.12, 0.12, 0.12, 0.24, 0.24, 0.24]


def test_packets_without_any_time_come_with_the_one_before() -> None:
    assert times_s([packet(None), packet(3.0), packet(3.5), packet(None), packet(4.0)]) == [0, 0, 0.5, 0.5, 1.0]


def test_a_time_base_of_the_track_serves_where_the_packet_has_none() -> None:
    packets = [Packet(VIDEO, Native(ticks, None, None)) for ticks in (0, 1500)]
    assert times_s(packets) == [0, 1.5]


def test_ends_of_tracks_and_errors_come_at_once() -> None:
    clock = Clock()
    ends = [Packet(VIDEO, None), Packet(AUDIO, None)]
    recording = Recording([packet(0.0), packet(1.0), *ends], SourceError("cut off"))
    source = PacedSource(recording, clock=clock, sleep=clock.sleep)
    seen: list[Any] = []
    with pytest.raises(SourceError, match="cut off"):
        seen.extend(item.native and item.native.dts for item in source.packets())
    assert seen == [0, 1000, None, None]
    assert clock.now_s == pytest.approx(1001.0)


def test_an_interruption_ends_a_wait_soon() -> None:
    recording = Recording([packet(0.0), packet(9.0)])
    source = PacedSource(recording)
    packets = source.packets()
    next(packets)
    threading.Timer(0.2, source.interrupt).start()
    began_s = time.monotonic()
    assert list(packets) == []
    assert 0.15 < time.monotonic() - began_s < 2.0
    assert recording.calls == ["interrupt"]


@pytest.mark.parametrize("name", ["clip.mp4", "clip.ts", "clip.mkv"])
def test_a_real_file_takes_as_long_as_it_plays_and_loses_nothing(name: str) -> None:
    clip = str(cached_clip(name, seconds=1.2, size=(96, 64), start_s=0.0 if name != "clip.ts" else 40.0))

    def read(settings: SourceSettings) -> tuple[list[tuple[int, int | None, int]], float, bool, float | None]:
        with open_source(clip, settings) as source:
            began_s = time.monotonic()
            natives = [(p.track.index, p.native) for p in source.packets()]
            took_s = time.monotonic() - began_s
            assert source.complete
            found = [(index, native.pts, native.size) if native else (index, None, 0) for index, native in natives]
            return found, took_s, source.facts.live, source.facts.duration_s

    at_once, _, live, duration_s = read(SourceSettings())
    assert not live
    assert duration_s
    paced, took_s, live, duration_s = read(SourceSettings(real_time=True))
    assert paced == at_once
    assert (live, duration_s) == (True, None)
    assert took_s >= 1.0  # the last picture is due 1.16 s after the first


def test_what_is_live_has_its_pace_already() -> None:
    clip = cached_clip("clip.ts", seconds=1.2, size=(96, 64))
    with open_source(str(clip), SourceSettings(real_time=True, live=True)) as source:
        began_s = time.monotonic()
        assert len(list(source.packets())) > 30
        assert time.monotonic() - began_s < 1.0


def test_a_file_object_is_paced_too() -> None:
    clip = cached_clip("clip.ts", seconds=1.2, size=(96, 64))
    with clip.open("rb") as file, open_source(file, SourceSettings(real_time=True)) as source:
        began_s = time.monotonic()
        assert source.facts.live
        list(source.packets())
        assert time.monotonic() - began_s >= 1.0
