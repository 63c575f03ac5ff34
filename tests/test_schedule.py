"""When each stretch of a probe is laid over its reference, and that nothing but the two streams decides it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_qa.sync.reference import ReferenceLimits, Stretch
from gpu_qa.sync.schedule import Alignment, Unsettled, due, lay, needed_from_s
from gpu_qa.sync.strip import Strip, extended, trimmed
from tests.strips import Programme

LIMITS = ReferenceLimits(max_delay_s=12.0, max_lead_s=12.0, stretch_s=6.0, step_s=3.0)
SHORT = ReferenceLimits(max_delay_s=12.0, max_lead_s=12.0, first_lead_s=2.0, stretch_s=6.0, step_s=3.0)
REFERENCE = Programme()
LENGTH_S = 26.0


def laid_piecewise(
    probe: Programme, limits: ReferenceLimits, ours_s: list[float], theirs_s: list[float], order: list[bool]
) -> list[Stretch]:
    """Lay a probe over the reference while both come in pieces, one or the other next as `order` says."""
    sides, pieces = [Strip(), Strip()], [probe.pieces(LENGTH_S, ours_s), REFERENCE.pieces(LENGTH_S, theirs_s)]
    known: list[Stretch] = []
    carry = Alignment()
    unsettled: tuple[Unsettled, ...] = ()
    turns = iter([*order, *[True, False] * 100])
    while not carry.done:
        which = int(next(turns))
        if pieces[which]:
            video, audio = pieces[which].pop(0)
            sides[which] = extended(sides[which], [video], [audio], ended=not pieces[which])
        ready, carry = due(sides[1], sides[0], limits, carry)
        for one in ready:
            found, unsettled = lay(one, unsettled)
            known += found
        for number, from_s in enumerate(needed_from_s(carry, limits)):
            sides[number] = trimmed(sides[number], from_s)
    assert not unsettled
    return known


CUTS = st.lists(st.integers(1, round(LENGTH_S * 10) - 1), max_size=8, unique=True).map(
    lambda cuts: [cut / 10 for cut in sorted(cuts)]
)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("limits", [LIMITS, SHORT], ids=["one look", "two looks"])
@pytest.mark.parametrize(
    "probe",
    [Programme(later_s=3.0, skew_s=0.2), Programme(later_s=-7.0, skew_s=-0.1), Programme(seed=2)],
    ids=["late", "early", "other"],
)
def test_any_cut_and_any_interleaving_gives_the_same_stretches(probe: Programme, limits: ReferenceLimits) -> None:
    wanted = laid_piecewise(probe, limits, [], [], [True, False])
    assert len(wanted) == 8
    assert [one.start_s for one in wanted] == sorted(one.start_s for one in wanted)

    @settings(max_examples=8, deadline=None, derandomize=True)
    @given(ours_s=CUTS, theirs_s=CUTS, order=st.lists(st.booleans(), max_size=30))
    def check(ours_s: list[float], theirs_s: list[float], order: list[bool]) -> None:
        assert laid_piecewise(probe, limits, ours_s, theirs_s, order) == wanted

    check()


@pytest.mark.parametrize("limits", [LIMITS, SHORT], ids=["one look", "two looks"])
@pytest.mark.parametrize(("later_s", "skew_s"), [(0.0, 0.0), (9.0, -0.4), (-9.0, 0.15), (-1.5, 1.0)])
def test_delays_of_either_sign_are_found(limits: ReferenceLimits, later_s: float, skew_s: float) -> None:
    probe = Programme(later_s=later_s, skew_s=skew_s)
    found = laid_piecewise(probe, limits, [], [], [])
    answers = [one for one in found if one.skew_s is not None]
    assert len(answers) >= 5
    for one in answers:
        assert one.picture.delay_s == pytest.approx(later_s, abs=0.002)
        assert one.skew_s == pytest.approx(skew_s, abs=0.003)


def test_with_two_looks_what_is_found_at_once_is_not_waited_for() -> None:
    reference, late, early = REFERENCE.strip(17.0), Programme(later_s=2.0).strip(17.0), Programme(later_s=-5.0)
    ready, _ = due(reference, late, SHORT)
    assert [(one.end_s, one.is_last) for one in ready] == [(6.0, False), (9.0, False), (12.0, False), (15.0, False)]
    assert [len(lay(one)[0]) for one in ready] == [1, 1, 1, 1]

    ready, carry = due(REFERENCE.strip(18.0), early.strip(17.0), SHORT)
    assert [(one.end_s, one.is_again) for one in ready] == [
        *[(end_s, False) for end_s in (6.0, 9.0, 12.0, 15.0)],
        (6.0, True),
    ]
    known: list[Stretch] = []
    unsettled: tuple[Unsettled, ...] = ()
    for one in ready:
        found, unsettled = lay(one, unsettled)
        known += found
    assert [one.end_s for one in known] == [6.0]
    assert known[0].picture.delay_s == pytest.approx(-5.0, abs=0.002)
    assert [turn.end_s for turn in carry.again] == [9.0, 12.0, 15.0]


def test_a_reference_that_ended_is_not_waited_for() -> None:
    reference = REFERENCE.strip(5.0, ended=True)
    ready, carry = due(reference, Programme(later_s=1.0).strip(20.0), SHORT)
    assert [one.end_s for one in ready] == [6.0, 9.0, 12.0, 15.0, 18.0]
    assert all(one.is_last for one in ready)
    assert not carry.again


def test_at_once_is_the_same_as_one_by_one() -> None:
    reference, probe = REFERENCE.strip(26.0, ended=True), Programme(later_s=3.0).strip(26.0, ended=True)
    ready, carry = due(reference, probe, LIMITS)
    assert carry.done
    found = [stretch for one in ready for stretch in lay(one)[0]]
    assert found == laid_piecewise(Programme(later_s=3.0), LIMITS, [], [], [])
    assert [one.skew_s for one in found[1:]] == pytest.approx([0.0] * (len(found) - 1), abs=0.002)
