"""Searches abreast: what many stretches look for in one reference is correlated in few calls.

A search is a generator: it asks for fits, is sent them, and returns what they come to. Searches that run abreast ask at
the same time, and those of the same shape are answered by one call, with what each would have been told alone, to the
bit.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from gpu_qa.sync.lag import Fit, Sought, best_fits

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Once", "Search", "abreast", "alone"]

_Found = TypeVar("_Found")
Search = Generator[Sequence[Sought], "list[Fit | None]", _Found]
"""Yields fits that are looked for, is sent them in that order, and returns what it found."""


class Once:
    """What is made of a reference, made once for all searches in it."""

    def __init__(self) -> None:
        self._made: dict[Any, Any] = {}

    def __call__(self, key: Any, make: Callable[[], _Found]) -> _Found:
        """What was made under a key, or is made now."""
        if key not in self._made:
            self._made[key] = make()
        return cast("_Found", self._made[key])


def abreast(searches: Sequence[Search[_Found]]) -> list[_Found]:
    """Run searches to their ends; what each returns."""
    found: dict[int, _Found] = {}
    told: dict[int, list[Fit | None] | None] = dict.fromkeys(range(len(searches)))
    while told:
        asked: dict[int, Sequence[Sought]] = {}
        for number, answers in told.items():
            try:
                asked[number] = next(searches[number]) if answers is None else searches[number].send(answers)
            except StopIteration as end:
                found[number] = end.value
        fits = iter(best_fits([one for each in asked.values() for one in each]))
        told = {number: [next(fits) for _ in each] for number, each in asked.items()}
    return [found[number] for number in range(len(searches))]


def alone(search: Search[_Found]) -> _Found:
    """Run one search."""
    return abreast([search])[0]
