"""Pictures that an engine measures on a card: in their order, those left out too, and each at its own risk."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from gpu_qa import reader
from gpu_qa.media import SkippedFrame
from gpu_qa.on_card import OnCard


class _Card:
    """Notes what is asked of it; pictures of one stream cannot be measured."""

    def __init__(self, bad: str = "") -> None:
        self.calls: list[Any] = []
        self._bad = bad

    def skip(self, stream: str) -> None:
        self.calls.append(("skip", stream))

    def measure(self, pictures: list[tuple[str, str]]) -> list[str]:
        self.calls.append(pictures)
        if any(stream == self._bad for stream, _ in pictures):
            raise ValueError("of this picture")
        return [f"{stream}{frame}" for stream, frame in pictures]


def _delivery(*frames: Any, skipped: int = 0) -> Any:
    skips = tuple(SkippedFrame(None, 0, Fraction(1, 25)) for _ in range(skipped))
    return reader.Delivery(skips, frames, (), (), 0.0)


def test_a_card_hears_of_pictures_left_out_between_those_that_it_measures() -> None:
    card, on_card = _Card(), OnCard()
    on_card._device = card  # type: ignore[assignment]
    parts = [_delivery(1), _delivery(skipped=2), _delivery(2), _delivery(3, 4)]
    other = _delivery(1)
    found = on_card.measured([*(("a", one) for one in parts), ("b", other)])
    assert card.calls == [[("a", 1), ("b", 1)], ("skip", "a"), [("a", 2), ("a", 3), ("a", 4)]]
    measured: list[Any] = [found[id(one)] for one in (parts[0], parts[2], parts[3], other)]
    assert measured == [["a1"], ["a2"], ["a3", "a4"], ["b1"]]
    # Also in a tick in which nothing is measured.
    card.calls.clear()
    on_card.measured([("a", _delivery(skipped=1))])
    assert card.calls == [("skip", "a")]


def test_a_picture_that_cannot_be_measured_on_a_card_ends_its_own_stream_only() -> None:
    on_card = OnCard()
    on_card._device = _Card(bad="b")  # type: ignore[assignment]
    good, bad, last = _delivery(1), _delivery(1), _delivery(1)
    found: dict[int, Any] = dict(on_card.measured([("a", good), ("b", bad), ("c", last)]))
    assert (found[id(good)], found[id(last)]) == (["a1"], ["c1"])
    assert isinstance(found[id(bad)], ValueError)
    assert found[id(bad)].__context__ is None, "its traceback holds everybody's pictures"
