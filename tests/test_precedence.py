"""Which answers count where several ways to know the A/V offset speak of the same stream."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from gpu_qa.series import SyncSeries
from gpu_qa.sync.precedence import Precedence, counting

Named = list[tuple[str, float]]


def answer(way: Any, end_s: float, confidence: float = 0.99) -> SyncSeries:
    return answers(way, [end_s], confidence)


def answers(way: Any, ends_s: list[float], confidence: float = 0.99) -> SyncSeries:
    count = len(ends_s)
    return SyncSeries(
        way=way,
        track=1,
        start_s=np.array(ends_s) - 2.0,
        end_s=np.array(ends_s),
        offset_s=np.full(count, 0.1),
        sigma_s=np.full(count, 0.01),
        confidence=np.full(count, confidence, np.float32),
    )


def weighed(carry: Precedence, found: list[SyncSeries], known_s: float) -> tuple[Named, Named, Precedence]:
    """Way and time of all that is told, of those that count, and the carry."""
    told, carry = counting(carry, found, known_s)
    return named([one.answer for one in told]), named([one.answer for one in told if one.counts]), carry


def named(found: list[SyncSeries]) -> Named:
    return [(one.way, float(one.end_s[0])) for one in found]


def test_a_weaker_way_counts_a_minute_after_the_last_sure_answer_of_a_stronger_one() -> None:
    times = [4.0, 10.0, 40.0, 70.0, 71.0, 100.0]
    told, counted, _ = weighed(
        Precedence(), [answer("reference", 10.0), *(answer("content", at_s) for at_s in times)], math.inf
    )
    assert [at_s for way, at_s in counted if way == "content"] == [4.0, 71.0, 100.0]
    assert len(told) == 7


@pytest.mark.parametrize(("way", "weaker"), [("marker", "reference"), ("reference", "content"), ("marker", "content")])
def test_the_marker_is_the_strongest_then_the_reference(way: str, weaker: str) -> None:
    found = [answer(way, 10.0), answer(weaker, 12.0), answer(way, 14.0)]
    _, counted, _ = weighed(Precedence(), found, math.inf)
    assert counted == [(way, 10.0), (way, 14.0)]
    _, counted, _ = weighed(Precedence(), [answer(weaker, 10.0), answer(way, 12.0)], math.inf)
    assert counted == [(weaker, 10.0), (way, 12.0)]


@pytest.mark.parametrize(("pairs", "heeded"), [(2, [12.0, 70.0]), (3, [70.0])])
def test_content_is_not_heeded_near_a_marker_signal_however_unsure(pairs: int, heeded: list[float]) -> None:
    marker = answers("marker", [9.5, 9.0, 8.5][:pairs][::-1], 0.7)
    content = [answer("content", 12.0), answer("content", 70.0)]
    _, counted, carry = weighed(Precedence(), [marker, content[0]], math.inf)
    _, more, _ = weighed(carry, content[1:], math.inf)
    assert [at_s for way, at_s in [*counted, *more] if way == "content"] == heeded


def test_an_answer_that_is_not_sure_holds_nobody_back() -> None:
    found = [answer("reference", 10.0, 0.5), answer("content", 12.0)]
    _, counted, _ = weighed(Precedence(), found, math.inf)
    assert counted == [("reference", 10.0), ("content", 12.0)]


def test_content_waits_until_the_reference_is_known_and_a_marker_does_not() -> None:
    found = [answers("marker", [3.0, 9.0], 0.5), answer("content", 4.0), answer("content", 6.0)]
    told, _, carry = weighed(Precedence(), found, 5.0)
    assert told == [("marker", 3.0), ("content", 4.0), ("marker", 9.0)]
    told, counted, carry = weighed(carry, [answer("reference", 5.5), answer("reference", 8.0)], 8.0)
    assert told == [("reference", 5.5), ("content", 6.0), ("reference", 8.0)]
    assert counted == [("reference", 5.5), ("reference", 8.0)]
    told, counted, carry = weighed(carry, [], math.inf)
    assert (told, counted, carry.waiting) == ([], [], ())


def test_what_counts_does_not_depend_on_when_each_way_is_told() -> None:
    """The reference tells of 10 s every 5 s; content and marker come promptly, late, or one by one."""
    rng = np.random.default_rng(3)
    reference = [answer("reference", at_s, 0.99 if at_s < 60 else 0.3) for at_s in np.arange(10.0, 200.0, 5.0)]
    content = [answer("content", at_s) for at_s in np.arange(3.0, 190.0, 2.0)]
    marker = [answer("marker", at_s, 0.99 if at_s > 155 else 0.2) for at_s in np.arange(150.5, 190.0, 1.0)]
    outcomes = []
    for late_s in (0.0, 3.0, 20.0):
        carry, counted = Precedence(), Named()
        rest = [list(reference), list(content), list(marker)]
        for now_s in np.arange(0.0, 260.0, 1.0):
            if rng.random() < 0.3:
                continue
            found = []
            for which, delay_s in zip(rest, (20.0, late_s, late_s / 2), strict=True):
                while which and float(which[0].end_s[0]) + delay_s <= now_s:
                    found.append(which.pop(0))
            known_s = float(reference[len(reference) - len(rest[0]) - 1].end_s[0]) if len(rest[0]) < 38 else 0.0
            _, more, carry = weighed(carry, found, known_s)
            counted += more
            assert len(carry.sure_s) + len(carry.pairs_s) < 250
        _, more, _ = weighed(carry, [], math.inf)
        outcomes.append(sorted(counted + more))
    assert outcomes[0] == outcomes[1] == outcomes[2]
    assert {way for way, _ in outcomes[0]} == {"reference", "content", "marker"}
