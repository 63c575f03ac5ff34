"""What every source is checked for, and the settings that tests read with."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gpu_qa.errors import SourceTimeout
from gpu_qa.sources import SourceSettings, open_source
from tests.clips import cached_clip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gpu_qa.media import Note, Packet
    from gpu_qa.sources import Source

QUICK = SourceSettings(open_timeout_s=5, read_timeout_s=0.8, segment_timeout_s=1.6, analyze_s=0.5)
IMPATIENT = SourceSettings(open_timeout_s=0.8, read_timeout_s=0.8, segment_timeout_s=0.8)
PATIENT = SourceSettings(open_timeout_s=5, read_timeout_s=4, segment_timeout_s=4)


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback is reached directly, whatever the environment says."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def no_child_stays() -> Iterator[None]:
    """The test leaves no process behind, not even a zombie."""
    before = _children()
    yield
    until = time.monotonic() + 3
    while _children() - before and time.monotonic() < until:
        time.sleep(0.02)
    assert not _children() - before


def _children() -> set[int]:
    found: set[int] = set()
    for path in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found |= set(map(int, path.read_text().split()))
    return found


def transport_clip() -> Path:
    return cached_clip("clip.ts", seconds=4, size=(96, 64), gop=5)


def movie_clip() -> Path:
    return cached_clip("clip.mp4", seconds=4, size=(96, 64), gop=25)


def read(source: Source) -> list[Packet]:
    """All packets of a source, checked for what every source promises."""
    packets = list(source.packets())
    ends = [p.track.index for p in packets if p.native is None]
    assert sorted(ends) == sorted(t.index for t in source.facts.tracks)
    for track in source.facts.tracks:
        own = [p for p in packets if p.track is track or p.track.index == track.index]
        assert own[-1].native is None
        assert all(p.native is not None for p in own[:-1])
    return packets


def open_and_read(url: str | Path, settings: SourceSettings = SourceSettings()) -> tuple[Source, list[Packet]]:
    with open_source(url, settings) as source:
        return source, read(source)


def notes_of(packets: list[Packet]) -> list[Note]:
    return [note for packet in packets for note in packet.notes]


def some(source: Source, count: int) -> list[Packet]:
    """The first packets, and then the ends, by an interruption."""
    packets: list[Packet] = []
    for packet in source.packets():
        packets.append(packet)
        if len(packets) == count:
            source.interrupt()
    return packets


def assert_both_tracks(source: Source, packets: list[Packet]) -> None:
    assert [t.kind for t in source.facts.tracks] == ["video", "audio"]
    for track in source.facts.tracks:
        own = [p for p in packets if p.track.index == track.index]
        assert len(own) > 1
        assert own[-1].native is None
        # RTSP's first key frame may come without a timestamp.
        assert all(p.native.pts is not None for p in own[1:-1])


def read_until_stall(source: Source, pause: Callable[[], Any], after: int) -> tuple[list[Packet], SourceTimeout, float]:
    """Read, silence the peer after some packets, and return the packets, the error and the longest wait in seconds."""
    packets: list[Packet] = []
    at = [time.monotonic()]

    def read() -> None:
        for packet in source.packets():
            packets.append(packet)
            at.append(time.monotonic())
            if len(packets) == after:
                pause()

    with pytest.raises(SourceTimeout) as caught:
        read()
    at.append(time.monotonic())
    assert [p.native for p in packets[-2:]] == [None, None]
    assert {n.kind for p in packets[-2:] for n in p.notes} == {"stalled"}
    assert not source.complete
    return packets, caught.value, max(b - a for a, b in itertools.pairwise(at))


def interrupted_after(source: Source, count: int) -> float:
    """Seconds from an interruption, by another thread while `packets` waits, to its end."""
    at: list[float] = []

    def interrupt() -> None:
        time.sleep(0.3)
        at.append(time.monotonic())
        source.interrupt()

    thread = threading.Thread(target=interrupt)
    ends = 0
    for number, packet in enumerate(source.packets()):
        if number == count:
            thread.start()
        ends += packet.native is None
    took = time.monotonic() - at[0]
    thread.join()
    # The read itself has ended too, not only our waiting for it.
    until = time.monotonic() + 1
    while any(t.name == "source" for t in threading.enumerate()) and time.monotonic() < until:
        time.sleep(0.01)
    assert not any(t.name == "source" for t in threading.enumerate())
    assert ends == len(source.facts.tracks)
    assert not source.complete
    return took
