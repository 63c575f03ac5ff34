"""Damage in MPEG transport streams: found where it is, and not where an encoder merely misstates a length."""

from __future__ import annotations

import io
import subprocess
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from gpu_qa.sources import SourceSettings, open_source
from gpu_qa.sources.transport_stream import Breaks, ContinuityScanner
from tests.clips import cached_clip, drop_ts_packets
from tests.peers import HttpServer
from tests.source_checks import QUICK, no_proxy, notes_of  # noqa: F401 - a fixture is found by its name

if TYPE_CHECKING:
    from pathlib import Path

    from gpu_qa.media import Note

VIDEO_PID, AUDIO_PID = 0x100, 0x101
SIZE = 188


def packet(pid: int, counter: int, *, payload: bool = True, announced: bool = False, flagged: bool = False) -> bytes:
    control = (1 if payload else 0) | (0 if payload and not announced else 2)
    head = bytes([0x47, (flagged << 7) | pid >> 8, pid & 255, control << 4 | counter & 15])
    field = bytes([10, 0x80 if announced else 0]) if control & 2 else b""
    return (head + field).ljust(SIZE, b"\xff")


def run_of(pid: int, count: int, first: int = 0) -> list[bytes]:
    return [packet(pid, first + i) for i in range(count)]


def scan(packets: list[bytes] | bytes, chunk: int = 1 << 20) -> ContinuityScanner:
    data = packets if isinstance(packets, bytes) else b"".join(packets)
    scanner = ContinuityScanner()
    for at in range(0, len(data), chunk):
        scanner.feed(data[at : at + chunk], at)
    return scanner


@pytest.mark.parametrize("chunk", [1, 100, 188, 1000, 1 << 20])
def test_a_gap_is_found_whatever_the_chunks(chunk: int) -> None:
    packets = run_of(100, 40)
    scanner = scan(packets[:20] + packets[25:], chunk)
    assert scanner.found
    assert scanner.take(100, None) == Breaks(20 * SIZE, continuity=1, lost=5)
    assert scanner.take(100, None) is None
    assert scanner.take_resyncs(None) is None


def test_pids_are_counted_apart_and_null_packets_not_at_all() -> None:
    mixed = [p for pair in zip(run_of(5, 40), run_of(6, 40, 7), strict=True) for p in (*pair, packet(0x1FFF, 3))]
    scanner = scan(mixed[:30] + mixed[31:])
    assert scanner.take(5, None) == Breaks(32 * SIZE, continuity=1, lost=1)
    assert scanner.take(6, None) is None
    assert scanner.take(0x1FFF, None) is None


def test_what_the_standard_allows_is_no_damage() -> None:
    packets = run_of(100, 10)
    allowed = [
        *packets[:5],
        packets[4],  # sent twice
        packet(100, 4, payload=False),  # no payload, no counting
        *packets[5:8],
        packet(100, 3, announced=True),  # a discontinuity that is announced
        *run_of(100, 5, first=4),
    ]
    assert scan(allowed).take(100, None) is None


def test_packets_flagged_upstream_are_counted() -> None:
    packets = run_of(100, 10)
    packets[4] = packet(100, 4, flagged=True)
    assert scan(packets).take(100, None) == Breaks(4 * SIZE, flagged=1)


def test_breaks_are_handed_out_by_position() -> None:
    packets = run_of(100, 60)
    scanner = scan(packets[:10] + packets[11:30] + packets[33:])
    assert scanner.take(100, 10 * SIZE) is None
    assert scanner.take(100, 10 * SIZE + 1) == Breaks(10 * SIZE, continuity=1, lost=1)
    assert scanner.take(100, None) == Breaks(29 * SIZE, continuity=1, lost=3)


@pytest.mark.parametrize("size", [188, 192, 204])
def test_other_packet_sizes_and_a_torn_grid(size: int) -> None:
    before = b"\0" * 4 if size == 192 else b""
    packets = [before + p + b"\0" * (size - SIZE - len(before)) for p in run_of(100, 60)]
    scanner = scan(b"junk" * 10 + b"".join(packets[:30]) + b"torn" * 5 + b"".join(packets[30:]), 500)
    assert scanner.found
    resyncs = scanner.take_resyncs(None)
    assert resyncs is not None
    assert resyncs.resyncs == 1
    breaks = scanner.take(100, None)
    assert breaks is None or breaks.lost <= 1


def test_noise_is_no_transport_stream_and_costs_no_memory() -> None:
    scanner = scan(np.random.default_rng(1).integers(0, 256, 300_000, np.uint8).tobytes(), 10_000)
    assert not scanner.found
    torn = scan(b"".join(run_of(100, 20)) + b"\0" * 300_000, 10_000)
    assert len(torn._rest) < 1000


def test_bytes_seen_already_or_out_of_order_are_left_alone() -> None:
    data = b"".join(run_of(100, 40))
    scanner = ContinuityScanner()
    scanner.feed(data[:3000], 0)
    scanner.feed(data[-1000:], len(data) - 1000)
    scanner.feed(data[:2000], 0)
    scanner.feed(data[1000:], 1000)
    assert scanner.position == len(data)
    assert scanner.take(100, None) is None


def test_memory_for_breaks_is_bounded_and_selected() -> None:
    bad = [p for i in range(5000) for p in (packet(100, 2 * i), packet(101, 3 * i))]
    scanner = scan(bad)
    assert len(scanner._breaks[100]) == 1000
    scanner.select(frozenset({101}))
    assert scanner.take(100, None) is None
    total = scanner.take(101, None)
    assert total is not None
    assert total.continuity == 4999


# --- through a source -----------------------------------------------------------------------------------------------


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """Three seconds, from the second second on with five packets of the picture missing, and later one of the sound."""
    path = tmp_path / "damaged.ts"
    path.write_bytes(cached_clip("clip.ts", seconds=3, gop=5).read_bytes())
    drop_ts_packets(path, VIDEO_PID, first=500, count=5)
    drop_ts_packets(path, AUDIO_PID, first=150, count=1)
    return path


def read_notes(url: Any, settings: SourceSettings = QUICK) -> list[Note]:
    with open_source(url, settings) as source:
        packets = list(source.packets())
        assert source.facts.container == "mpegts"
        assert source.complete
    return notes_of(packets)


def assert_both_damages(notes: list[Note]) -> None:
    assert [(n.kind, n.track) for n in notes] == [("transport_error", "video"), ("transport_error", "audio")]
    picture, sound = notes
    assert picture.details["lost_packets"] == 5
    assert picture.details["continuity_errors"] == 1
    assert picture.details["pid"] == VIDEO_PID
    assert "5 transport packets missing" in picture.message
    assert sound.details["lost_packets"] == 1


def test_missing_packets_are_told_at_the_picture_they_belong_to(damaged: Path) -> None:
    notes = read_notes(damaged)
    assert_both_damages(notes)
    whole = damaged.parent / "whole.ts"
    whole.write_bytes(cached_clip("clip.ts", seconds=3, gop=5).read_bytes())

    def sizes(path: Path) -> dict[int, int]:
        with open_source(path) as source:
            kept = (p.native for p in source.packets() if p.native is not None and p.track.kind == "video")
            return {n.pts: n.size for n in kept}

    before, after = sizes(whole), sizes(damaged)
    assert [pts for pts in before if before[pts] != after.get(pts)] == [notes[0].pts]


def test_the_same_by_every_way_that_shows_the_bytes(damaged: Path) -> None:
    assert_both_damages(read_notes(io.BytesIO(damaged.read_bytes())))
    with damaged.open("rb") as file:
        assert_both_damages(read_notes(file))
    with subprocess.Popen(["cat", str(damaged)], stdout=subprocess.PIPE) as child:
        assert_both_damages(read_notes(cast("Any", child.stdout)))


@pytest.mark.usefixtures("no_proxy")
def test_by_http_libavformats_own_marks_tell(damaged: Path) -> None:
    with HttpServer(lambda _: damaged.read_bytes()) as server:
        notes = read_notes(server.url("clip.ts"))
    assert {n.kind for n in notes} == {"transport_error"}
    # Its AAC parser loses the mark.
    assert {n.track for n in notes} == {"video"}
    assert all(n.details == {"is_corrupt": True} for n in notes)


def misstate_lengths(data: bytes) -> bytes:
    """State the length of every picture's PES packet, and a byte too little, as some encoders do."""
    stream = np.frombuffer(data, np.uint8).reshape(-1, SIZE).copy()
    rows = np.flatnonzero(((stream[:, 1] & 0x1F) == VIDEO_PID >> 8) & (stream[:, 2] == VIDEO_PID & 255))
    starts = [int(r) for r in rows if stream[r, 1] & 0x40]

    def payload(row: int) -> int:
        return 4 + (1 + int(stream[row, 4]) if stream[row, 3] & 0x20 else 0)

    for number, start in enumerate(starts):
        end = starts[number + 1] if number + 1 < len(starts) else len(stream)
        length = sum(SIZE - payload(int(r)) for r in rows if start <= r < end) - 6
        at = payload(start) + 4
        stream[start, at : at + 2] = divmod(length - 1, 256)
    return stream.tobytes()


@pytest.mark.usefixtures("no_proxy")
def test_an_encoder_that_misstates_lengths_damages_nothing(tmp_path: Path) -> None:
    clip = tmp_path / "misstated.ts"
    clip.write_bytes(misstate_lengths(cached_clip("clip.ts", seconds=3, size=(64, 48)).read_bytes()))
    with open_source(clip) as source:
        packets = list(source.packets())
    marked = [p for p in packets if p.native is not None and p.native.is_corrupt]
    assert len(marked) > 50
    assert notes_of(packets) == []
    with HttpServer(lambda _: clip.read_bytes()) as server:
        assert read_notes(server.url("clip.ts")) == []
