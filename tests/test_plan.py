"""Planning: first fit, clones with some of the detectors, and what it costs."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from gpu_qa.errors import ConfigError
from gpu_qa.fleet.demand import CostModel, PlannedStream
from gpu_qa.fleet.machine import Card, load_prices
from gpu_qa.fleet.plan import Headroom, Plan, Planner
from gpu_qa.fleet.plan_view import plan_json, render
from tests.costs_builder import CARD, costs, format_cost, once, rented, stream, with_cards

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.bench.costs import BenchResult
    from gpu_qa.fleet.machine import Machine

FULL = Headroom(1.0, 1.0, 1.0, 1.0, 1.0)


def planner(
    machine: Machine | None = None,
    card: Card | None = None,
    headroom: Headroom = FULL,
    measured: BenchResult | None = None,
) -> Planner:
    return Planner(CostModel(measured or costs(), machine or rented(), card), headroom)


def many(count: int, **changes: object) -> list[PlannedStream]:
    return [stream(f"s{i}", **changes) for i in range(count)]


def shown(plan: Plan, streams: Sequence[PlannedStream]) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(render(plan, streams))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def check(plan: Plan, streams: Sequence[PlannedStream]) -> None:
    """Everything placed once, nothing over its limit."""
    model, room = plan.model, plan.headroom
    placed = [job for place in plan.places for job in place.jobs]
    names = {one.name for one in streams} - {one.stream.name for one in plan.unplaced}
    assert {job.stream.name for job in placed} == names
    for one in streams:
        jobs = [job for job in placed if job.stream.name == one.name]
        detectors = [name for job in jobs for name in job.detectors]
        assert sorted(detectors) == (sorted(one.detectors) if jobs else [])
        assert sorted(job.clone for job in jobs) == list(range(1, len(jobs) + 1))
    for place in plan.places:
        assert sum(job.demand.cores for job in place.jobs) == pytest.approx(place.cores)
        assert place.cores <= model.machine.vcpus * room.cpu + 1e-9
        assert place.memory_mb <= model.machine.memory_gib * 2**30 / 1e6 * room.memory
        needed = sum(job.demand.memory_mb for job in place.jobs) + model.base_mb * len(place.processes)
        assert needed == pytest.approx(place.memory_mb)
        for process in place.processes:
            assert sum(job.demand.judging for job in process.jobs) <= room.thread + 1e-9
        assert all(load <= room.engines + 1e-9 for engines in place.engines for load in engines)
        on_card = sum(job.demand.engines for job in place.jobs)
        assert sum(load for engines in place.engines for load in engines) == pytest.approx(on_card)


def test_equal_streams_fill_machines_by_cpu() -> None:
    # 0.219 cores each: 18 fill 4 cores.
    streams = many(20)
    plan = planner().plan(streams)
    check(plan, streams)
    assert [len(place.jobs) for place in plan.places] == [18, 2]
    assert planner().capacity(stream()) == (18, "CPU")
    assert plan.usd_per_hour == pytest.approx(0.4)
    assert plan.usd_per_stream_hour == pytest.approx(0.02)
    assert not plan.projected


def test_headroom_is_kept() -> None:
    assert planner(headroom=replace(FULL, cpu=0.5)).capacity(stream())[0] == 9
    with pytest.raises(ValueError, match="cpu must be more than 0 and at most 1"):
        Headroom(cpu=1.1)


def test_memory_limits_where_it_is_short() -> None:
    # 1 GiB is 1073 MB: 150 for the process and 30 for each stream.
    assert planner(rented(memory_gib=1.0)).capacity(stream(frame_rate=1.0)) == (30, "memory")


def test_a_full_judging_thread_takes_another_process() -> None:
    streams = many(60, frame_rate=10.0)
    room = replace(FULL, thread=0.15)
    plan = planner(rented(vcpus=64), headroom=room).plan(streams)
    check(plan, streams)
    (place,) = plan.places
    # 0.014 cores of judging each: 10 a process.
    assert [len(process.jobs) for process in place.processes] == [10] * 6
    assert place.memory_mb == 6 * 150 + 60 * 30


def copies(count: int, reference: str, **changes: object) -> list[PlannedStream]:
    """A reference after the streams that are laid over it."""
    names = [*(f"{reference}-{i}" for i in range(count)), reference]
    return [stream(name, reference=reference, **changes) for name in names]


def test_a_reference_and_its_copies_run_in_one_process() -> None:
    streams = [*many(12), *copies(4, "studio"), *copies(9, "gallery")]
    plan = planner().plan(streams)
    check(plan, streams)
    processes = [process for place in plan.places for process in place.processes]
    for name, count in (("studio", 5), ("gallery", 10)):
        (jobs,) = [
            found for process in processes if (found := [job for job in process.jobs if job.stream.reference == name])
        ]
        assert len(jobs) == count
    cores = {job.stream.name: job.demand.cores for place in plan.places for job in place.jobs}
    assert cores["s0"] < cores["studio"] < cores["studio-0"]


def test_a_copy_that_its_references_process_has_no_room_for_is_told() -> None:
    streams = copies(30, "studio")
    plan = planner().plan(streams)
    check(plan, streams)
    assert len(plan.places) == 1
    assert len(plan.unplaced) == 31 - plan.streams
    assert {one.stream.name for one in plan.unplaced} & {"studio"} == set()
    assert "one process with its reference studio" in plan.unplaced[0].reason
    on_cards = planner(with_cards(2, vcpus=64), CARD).plan(copies(8, "studio"))
    assert len({process.card for place in on_cards.places for process in place.processes}) == 1


def test_engines_of_a_card_limit_and_a_stream_never_spans_two() -> None:
    machine = with_cards(2, vcpus=64)
    # 25 of 600 pictures: 24 an engine, 2 engines, 2 cards.
    assert planner(machine, CARD).capacity(stream()) == (96, "decoding engines")
    # 0.75 of an engine each: one an engine.
    streams = many(4, frame_rate=450.0, detectors=())
    plan = planner(machine, CARD).plan(streams)
    check(plan, streams)
    (place,) = plan.places
    assert place.engines == [[0.75, 0.75], [0.75, 0.75]]
    assert [process.card for process in place.processes] == [0, 1]
    plan = planner(machine, CARD).plan([stream(width=7680, height=4320, frame_rate=60.0)])
    (lost,) = plan.unplaced
    assert "1.60 decoding engines, of 1 of one" in lost.reason
    assert plan.places == ()


def test_device_memory_limits() -> None:
    # 2147 MB: 600 for the process, 100 for each stream.
    assert planner(with_cards(vcpus=64, card_memory_gib=2.0), CARD).capacity(stream()) == (15, "device memory")


def test_the_cpu_beside_a_card_limits_too() -> None:
    number, limit = planner(with_cards(2, vcpus=1), CARD).capacity(stream())
    assert limit == "CPU"
    assert number == int(1 / (0.0125 + 0.004 + 0.0275))


def test_what_facts_give_for_an_l4() -> None:
    """4 engines, 903 pictures per second, 70 % load, 30 pictures per second: 21 streams an engine."""
    prices = load_prices()
    machine = replace(prices.machine("g6.xlarge"), vcpus=64, memory_gib=256)
    model = CostModel(costs(), machine, prices.card_of(machine))
    number, limit = Planner(model, Headroom()).capacity(stream(frame_rate=30.0))
    assert (number, limit) == (84, "decoding engines")
    assert machine.usd_per_hour / number == pytest.approx(0.0096, abs=5e-5)


def test_clones_share_the_detectors_that_one_process_cannot_hold() -> None:
    heavy = format_cost()
    costly = tuple(replace(cost, ms=once(10.0 if cost.per == "picture" else 200.0)) for cost in heavy.parts.detectors)
    measured = costs(replace(heavy, parts=replace(heavy.parts, detectors=costly)))
    # Reading and series take 0.202 cores, the detectors 0.25, 0.25 and 0.2.
    machine = rented(vcpus=1)
    streams = many(3)
    plan = planner(machine, headroom=replace(FULL, cpu=0.7), measured=measured).plan(streams)
    check(plan, streams)
    jobs = [job for place in plan.places for job in place.jobs if job.stream.name == "s0"]
    assert [(job.clone, job.clones) for job in sorted(jobs, key=lambda job: job.clone)] == [(1, 2), (2, 2)]
    assert {name for job in jobs for name in job.detectors} == {"freeze", "black", "silence"}
    assert all(job.demand.cores > 0.2 for job in jobs)  # each decodes the stream itself
    assert plan.streams == 3
    text = shown(plan, streams)
    assert "1 of 2" in text
    assert "3 streams are cloned" in text
    assert "freeze" in text


def test_what_no_clone_can_carry_is_told_with_the_reason() -> None:
    machine = rented(vcpus=1)
    slow = planner(machine).plan([stream(frame_rate=200.0)])
    assert "decoding and measuring it alone needs 1.504 cores, of 1 that its 1 thread" in slow.unplaced[0].reason
    assert "[decode] threads" in slow.unplaced[0].reason
    more = planner(rented(vcpus=8)).plan([stream(frame_rate=200.0, decoder_threads=2)])
    assert more.unplaced == ()
    heavy = format_cost()
    costly = tuple(replace(cost, ms=once(40.0)) for cost in heavy.parts.detectors)
    measured = costs(replace(heavy, parts=replace(heavy.parts, detectors=costly)))
    lost = planner(machine, measured=measured).plan([stream()])
    assert "the detector freeze alone needs 1.202 cores, of 1 × 1" in lost.unplaced[0].reason
    text = shown(lost, [stream()])
    assert "Not placed" in text
    assert "the detector freeze" in text
    assert lost.usd_per_stream_hour is None


def test_an_unknown_codec_ends_the_planning() -> None:
    with pytest.raises(ConfigError, match="no cost was measured for vp9"):
        planner().plan([stream(codec="vp9")])


def test_json_has_everything_and_the_table_the_sums() -> None:
    streams = [*many(30), stream("[b]odd[/b]", codec="hevc", frame_rate=50.0)]
    measured = costs(format_cost(), format_cost("hevc"))
    plan = planner(with_cards(), CARD, Headroom(), measured).plan(streams)
    check(plan, streams)
    document = json.loads(json.dumps(plan_json(plan, streams), allow_nan=False))
    assert document["streams"] == document["streams_placed"] == 31
    assert document["usd_per_hour"] == pytest.approx(plan.usd_per_hour)
    assert document["projected"] is True
    placed = [
        one["stream"] for place in document["placed"] for process in place["processes"] for one in process["streams"]
    ]
    assert sorted(placed) == sorted(one.name for one in streams)
    assert all(place["limited_by"] in place["load"] for place in document["placed"])
    text = shown(plan, streams)
    assert "30 × h264 1920×1080 at 25/s" in text
    assert "a projection" in text
    assert f"{plan.usd_per_hour:.3f} $/h" in text


def test_a_small_number_of_groups_is_shown_for_a_large_fleet() -> None:
    streams = many(2000)
    plan = planner().plan(streams)
    assert len(plan.places) == -(-2000 // 18)
    text = shown(plan, streams)
    assert "18 × h264" in text
    assert len(text.splitlines()) < 20


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([(640, 360), (1280, 720), (1920, 1080), (3840, 2160)]),
            st.sampled_from([24.0, 25.0, 50.0, 60.0]),
            st.sampled_from([("freeze", "black", "silence"), ("silence",), ()]),
        ),
        max_size=60,
    ),
    st.sampled_from([None, CARD]),
    st.floats(0.3, 1.0),
)
def test_any_mixture_is_placed_within_the_limits(
    kinds: list[tuple[tuple[int, int], float, tuple[str, ...]]], card: Card | None, share: float
) -> None:
    machine = with_cards(2) if card else rented()
    room = Headroom(share, share, share, share, share)
    streams = [
        stream(f"s{i}", width=size[0], height=size[1], frame_rate=rate, detectors=detectors)
        for i, (size, rate, detectors) in enumerate(kinds)
    ]
    plan = planner(machine, card, room).plan(streams)
    check(plan, streams)
