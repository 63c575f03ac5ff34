"""The largest number that holds, found with few tries."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_GROWTH = 1.5
_SHRINKAGE = 0.6


def largest(holds: Callable[[int], bool], first: int, most: int, *, share: float = 0.05) -> tuple[int, bool]:
    """The largest number for which `holds`, which is taken to hold up to some number and not beyond.

    Args:
        holds: Tries a number; never called twice for the same.
        first: A guess, tried first.
        most: The largest number that may be tried.
        share: The answer may be too small by this share of itself.

    Returns:
        The number, 0 where not even 1 holds, and whether the search ended at `most` without a failure.
    """
    good, bad, failed = 0, most + 1, False
    number = min(max(1, first), most)
    while bad - good > max(1, int(good * share)):
        if holds(number):
            good = number
        else:
            bad, failed = number, True
        if not failed:
            number = min(most, max(good + 1, round(good * _GROWTH)))
        elif good == 0:
            number = max(1, int(bad * _SHRINKAGE))
        else:
            number = (good + bad) // 2
    return good, not failed
