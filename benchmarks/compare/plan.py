"""Which copies are made of which programmes, and which pairs are no copies: drawn at random, each seed the same."""

from __future__ import annotations

import random
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from benchmarks.compare.treatment import HARD, LEADS, SINGLE, Treatment, combined

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.compare.material import Programme
    from benchmarks.compare.treatment import Lead

__all__ = ["NotEnoughError", "Order", "half_orders", "hard_orders", "is_related", "orders"]

COMBINED = 3
"""Shares of copies that are treated in several ways at once, of which every single way has one."""
MOST_DELAY_S = 20.0
MOST_SKEW_S = 1.0
PARTS = 2
"""Other parts of the same clip, at most, that a copy is laid over."""
NEEDED = "at least three programmes of 10 s are needed that share no clip, with picture and sound"
"""For what is copied, what comes before it, and what it is laid over."""


class NotEnoughError(Exception):
    """What the clips cannot give."""


@dataclass(frozen=True, slots=True)
class Order:
    """A copy that is to be made, and what it is laid over besides its reference."""

    name: str
    programme: Programme
    treatment: Treatment
    lead: Lead
    other: Programme
    """What comes before it, or is mixed in."""
    rate: str
    """Of its reference, pictures per second."""
    delay_s: float
    """Of the picture, a whole number of pictures."""
    skew_s: float
    """Delay of the picture less that of the sound."""
    hard: str | None = None
    """Treated worse; then `treatment` says nothing."""
    pairs: tuple[tuple[str, Programme], ...] = ()
    """What it is laid over: `copy`, or how that is another programme, and which one."""

    @property
    def way(self) -> str:
        """What is done to it."""
        return self.hard or self.treatment.name


def is_related(one: Programme, other: Programme, alike: Sequence[frozenset[str]]) -> bool:
    """Whether they share a clip, or clips that are said to show the same."""

    def names(programme: Programme) -> set[str]:
        own = set(programme.clips)
        return own.union(*(group for group in alike if group & own))

    return bool(names(one) & names(other))


def orders(programmes: Sequence[Programme], count: int, seed: int, alike: Sequence[frozenset[str]]) -> list[Order]:
    """As many copies, each treatment as often as another, and combined ones three times as often.

    Args:
        programmes: That can be coded.
        count: How many copies.
        seed: What is drawn.
        alike: Names of clips that show the same.

    Raises:
        NotEnoughError: There are no three programmes without a clip in common.
    """
    chance = random.Random(seed)  # noqa: S311 - nothing secret
    found: list[Order] = []
    turn: list[Programme] = []
    ways: list[Treatment | None] = []
    if not programmes:
        raise NotEnoughError(NEEDED)
    while len(found) < count:
        turn = turn or chance.sample(list(programmes), len(programmes))
        ways = ways or chance.sample([*SINGLE, *[None] * COMBINED], len(SINGLE) + COMBINED)
        programme, treatment = turn.pop(), ways.pop() or combined(chance)
        strangers = _strangers(programmes, programme, alike)
        before = _one_of((one for one in strangers if _strangers(strangers, one, alike)), chance)
        parts = [one for one in programmes if one is not programme and one.clips == programme.clips]
        pairs = [
            ("copy", programme),
            ("other", _one_of(_strangers(strangers, before, alike), chance)),
            ("reversed", programme),
        ]
        if len(programme.pieces) == 1:
            pairs += [("part", one) for one in chance.sample(parts, min(PARTS, len(parts)))]
        found.append(_drawn(f"{seed}-{len(found):03d}", programme, treatment, before, tuple(pairs), chance))
    return found


def half_orders(pairs: Sequence[tuple[Programme, Programme]], strangers: Sequence[Programme], seed: int) -> list[Order]:
    """A copy of one half of each clip, and of the other, to be laid over the half that each is not of."""
    chance = random.Random(f"{seed} halves")  # noqa: S311 - nothing secret
    found: list[Order] = []
    for number, (first, second) in enumerate(pairs):
        for one, other in ((first, second), (second, first)):
            treatment = SINGLE[(len(found) + number) % len(SINGLE)]
            before = _one_of((each for each in strangers if not each.clips & one.clips), chance)
            found.append(_drawn(f"{seed}-h{len(found):03d}", one, treatment, before, (("take", other),), chance))
    return found


def hard_orders(programmes: Sequence[Programme], count: int, seed: int, alike: Sequence[frozenset[str]]) -> list[Order]:
    """As many copies that are treated worse; what is mixed in is a stranger's, and they are laid over it too."""
    chance = random.Random(f"{seed} hard")  # noqa: S311 - nothing secret
    found: list[Order] = []
    while len(found) < count:
        programme, way = _one_of(programmes, chance), HARD[len(found) % len(HARD)]
        other = _one_of(_strangers(programmes, programme, alike), chance)
        most_s = 1.0 if way.startswith("short") else MOST_DELAY_S
        rate = _whole(programme.rate)
        delay_s = round(chance.uniform(0, most_s) * rate) / rate
        skew_s = round(chance.uniform(-MOST_SKEW_S, MOST_SKEW_S), 3)
        # What is mixed in, or covers most of the picture, is its content as well.
        wrong = [] if way in ("mix", "cover") else [("other", other)]
        pairs = (("copy", programme), *wrong)
        name = f"{seed}-hard-{len(found):03d}"
        found.append(Order(name, programme, SINGLE[0], "black", other, programme.rate, delay_s, skew_s, way, pairs))
    return found


def _strangers(programmes: Sequence[Programme], to: Programme, alike: Sequence[frozenset[str]]) -> list[Programme]:
    return [one for one in programmes if not is_related(one, to, alike)]


def _one_of(programmes: Iterable[Programme], chance: random.Random) -> Programme:
    """Raises NotEnoughError where there is none."""
    found = list(programmes)
    if not found:
        raise NotEnoughError(NEEDED)
    return chance.choice(found)


def _drawn(
    name: str,
    programme: Programme,
    treatment: Treatment,
    before: Programme,
    pairs: tuple[tuple[str, Programme], ...],
    chance: random.Random,
) -> Order:
    rate = treatment.rates[0] if treatment.rates else programme.rate
    delay_s = round(chance.uniform(0, MOST_DELAY_S) * _whole(rate)) / _whole(rate)
    skew_s = round(chance.uniform(-MOST_SKEW_S, MOST_SKEW_S), 3)
    lead = chance.choice(LEADS)
    return Order(name, programme, treatment, lead, before, rate, delay_s, skew_s, None, pairs)


def _whole(rate: str) -> float:
    return float(Fraction(rate))
