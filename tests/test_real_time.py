"""How many live streams the bench finds to run in real time: what it watches, how it weighs that, its search."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_qa.bench import live
from gpu_qa.bench.film import Fault, Film, cached, looped
from gpu_qa.bench.search import largest
from gpu_qa.bench.weigh import Run, latency_of, per_stream, probe_of, ratios
from tests.clips import cached_clip


@given(st.integers(0, 300), st.integers(1, 300), st.integers(1, 300))
def test_the_search_finds_the_largest_number_within_its_share(true: int, first: int, most: int) -> None:
    tried: list[int] = []

    def holds(number: int) -> bool:
        assert 1 <= number <= most
        tried.append(number)
        return number <= true

    found, at_least = largest(holds, first, most)

    assert len(tried) == len(set(tried)) <= 20
    reachable = min(true, most)
    assert reachable - max(1, found * 0.05) < found <= reachable
    assert found == 0 or found in tried
    assert at_least == all(number <= true for number in tried)


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> str:
    film = Film(3.2, 128, 72, 200_000, suffix=".ts", faults=(Fault("black", 1.0, 1.6),))
    return str(looped(cached(film, tmp_path_factory.mktemp("faulty")), 4))


def test_pictures_are_delivered_when_their_packets_are_due(faulty: str) -> None:
    due = live.Deliveries.of(faulty)
    assert len(due.end_s) == 4 * 80
    assert (due.end_s[0], due.end_s[-1]) == pytest.approx((0.04, 12.8))
    # B-frames come after the picture that they lie before; none comes after it should be shown, but for the reordering.
    early_s = due.end_s - due.due_s
    assert -0.2 < early_s.min() <= early_s.max() < 0.4
    assert due.when(0.04) == due.due_s[0]
    assert due.when(1.2) == due.due_s[29]
    assert due.when(99.0) == due.due_s[-1]


def test_live_streams_are_watched_and_events_timed(faulty: str) -> None:
    seen = live.watch(faulty, 2, 3.5, "cpu", allowed_s=1.0, events=True)
    assert seen.refused == ""
    assert seen.ended_early == 0
    assert seen.seconds == pytest.approx(3.5, abs=1.0)
    assert 0 < seen.behind_s < 3
    assert 0 < seen.judging_cores < seen.cpu_cores
    assert 0 < seen.proportional_mb <= seen.resident_mb
    assert len(seen.latencies_s) >= 2
    # A picture is judged in a series of 12: at once at best, after half a second plus whatever disturbs us at worst.
    assert all(0.0 < latency_s < 3.0 for latency_s in seen.latencies_s)


def test_a_stream_that_ends_too_early_does_not_hold() -> None:
    clip = str(cached_clip("short.ts", seconds=3, size=(96, 64)))
    seen = live.watch(clip, 1, 5.0, "cpu", allowed_s=1.0)
    assert seen.ended_early == 1


def seen(**changes: Any) -> dict[str, Any]:
    zero = {"frames_dropped": 0, "ended_early": 0, "refused": "", "device_mb": None, "decoder_load": None}
    numbers = {"cpu_cores": 1.0, "judging_cores": 0.1, "resident_mb": 200.0, "proportional_mb": 190.0}
    return {"streams": 4, "seconds": 8.0, "behind_s": 0.2, **zero, **numbers, **changes}


def test_a_number_holds_only_if_nothing_was_late_lost_or_refused() -> None:
    assert probe_of(seen(), 0.0, 1.0).held
    for change in (
        {"behind_s": 1.1},
        {"frames_dropped": 1},
        {"ended_early": 1},
        {"refused": "no room"},
        {"seconds": 0.0},
    ):
        assert not probe_of(seen(**change), 0.0, 1.0).held


def test_memory_per_stream_is_the_slope() -> None:
    few = probe_of(seen(streams=1, proportional_mb=150.0, device_mb=700.0), 0.0, 1.0)
    most = probe_of(seen(streams=5, proportional_mb=230.0, device_mb=900.0, behind_s=2.0), 0.0, 1.0)
    assert per_stream({5: most, 1: few}, 120.0) == (20.0, 50.0)
    assert per_stream({1: few}, 120.0) == (30.0, None)
    assert per_stream({}, 120.0) == (None, None)


def test_percentiles_are_values_that_were_seen() -> None:
    assert latency_of(3, []) is None
    late = latency_of(3, [0.1 * number for number in range(1, 101)])
    assert late is not None
    assert (late.p50_s, late.p99_s, late.max_s) == pytest.approx((5.1, 9.9, 10.0), abs=0.11)


def test_ratios_are_of_neighbours_and_normalised_per_picture() -> None:
    runs = {
        "decode": [Run(1.0, 2.0, 100, 50.0, 0.0), Run(2.0, 4.0, 100, 50.0, 0.0)],
        "features": [Run(1.0, 3.0, 100, 50.0, 0.0), Run(2.0, 6.0, 100, 50.0, 0.0)],
        "everything": [Run(1.25, 4.0, 100, 50.0, 0.0), Run(2.5, 8.0, 100, 50.0, 0.0)],
        "ffmpeg": [Run(9.0, 20.0, 50, 50.0, 0.0)],
    }
    found = {one.name: one for one in ratios(runs, "cpu")}
    assert found["CPU time per picture, everything / decode"].value.values == (2.0, 2.0)
    assert found["pictures per second, everything / decode"].value.median == 0.8
    assert found["pictures per second, everything / decode"].met is None
    assert found["CPU time per picture, ffmpeg / everything"].value.values == (10.0,)
    (asked,) = [one for one in ratios(runs, "cuda") if one.limit is not None]
    assert (asked.limit, asked.met) == (0.95, False)
