"""The nets of the content way on a card: windows of all streams that lie there are scored together.

Each product of matrices on a card has a cost of its own, so whole windows are gathered for a moment and scored eight at
a time, filled up with nothing where there are fewer; what a cut made shorter is scored alone. A window's scores then do
not depend on which others came at the same time: their shape is always the same.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import Future
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gpu_qa.sync.content import window_scores
from gpu_qa.sync.shots import LONGEST

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gpu_qa.sync.content import Weights

__all__ = ["AT_ONCE", "CardScores", "card_scores"]

AT_ONCE = 8
"""Whole windows that are scored in one go."""
GATHER_S = 0.2
"""How long a window waits for others: it holds up to 3 s, and what it says is summed over minutes."""


class _Waiting(NamedTuple):
    """A window that waits for its scores."""

    codes: np.ndarray
    sound: np.ndarray
    weights: Weights
    scores: Future[np.ndarray]
    since_s: float
    """By the monotonic clock."""

    @property
    def at_once(self) -> int:
        """How many like it are scored in one go."""
        return AT_ONCE if len(self.codes) == LONGEST else 1

    def goes_with(self, other: _Waiting) -> bool:
        return len(self.codes) == len(other.codes) and self.weights is other.weights


class CardScores:
    """Scores windows on a card, in a thread that ends when there are none. Any thread may ask.

    Args:
        device: Of torch.
        gather_s: How long a window waits for others.
    """

    def __init__(self, device: Any, gather_s: float = GATHER_S) -> None:
        self._device = device
        self._gather_s = gather_s
        self._changed = threading.Condition()
        self._waiting: deque[_Waiting] = deque()
        self._runs = False
        self._weights: tuple[Weights, Any] | None = None
        """Those used last, here and on the card."""

    def ask(self, codes: np.ndarray, sound: np.ndarray, weights: Weights) -> Future[np.ndarray]:
        """Have a window scored.

        Args:
            codes: uint8 [T, 7, 24, 42]: its `packed` measures.
            sound: float32 [4 T + 320, 12]: from `scorable`.
            weights: Of the nets.

        Returns:
            float32 [101], or why there are none: the card failed.
        """
        one = _Waiting(codes, sound, weights, Future(), time.monotonic())
        with self._changed:
            self._waiting.append(one)
            self._changed.notify()
            starts, self._runs = not self._runs, True
        if starts:
            try:
                threading.Thread(target=self._run, name="gpu-qa sync card", daemon=True).start()
            except RuntimeError:
                # The system gives no more threads.
                self._run()
        return one.scores

    def _run(self) -> None:
        while True:
            together = self._gathered()
            if not together:
                return
            try:
                found = self._scored(together)
            except Exception as error:  # noqa: BLE001 - whoever asked learns it.
                for one in together:
                    one.scores.set_exception(error)
            else:
                for one, scores in zip(together, found, strict=False):
                    one.scores.set_result(scores)

    def _gathered(self) -> list[_Waiting]:
        """The window that waits longest and those that are scored with it; none where nothing waits."""
        with self._changed:
            while self._waiting:
                first = self._waiting[0]
                together = [one for one in self._waiting if one.goes_with(first)][: first.at_once]
                rest_s = first.since_s + self._gather_s - time.monotonic()
                if len(together) == first.at_once or rest_s <= 0:
                    chosen = set(map(id, together))
                    self._waiting = deque(one for one in self._waiting if id(one) not in chosen)
                    return together
                self._changed.wait(rest_s)
            self._runs = False
            return []

    def _scored(self, together: Sequence[_Waiting]) -> np.ndarray:
        import torch

        first = together[0]
        codes = np.zeros((first.at_once, *first.codes.shape), np.uint8)
        sound = np.zeros((first.at_once, *first.sound.shape), np.float32)
        for number, one in enumerate(together):
            codes[number], sound[number] = one.codes, one.sound
        with torch.no_grad(), _own_stream(self._device):
            if self._weights is None or self._weights[0] is not first.weights:
                self._weights = (
                    first.weights,
                    tuple(
                        {name: torch.as_tensor(weight, device=self._device) for name, weight in net.items()}
                        for net in first.weights
                    ),
                )
            seen, heard = (torch.from_numpy(array).to(self._device) for array in (codes, sound))
            return np.asarray(window_scores(seen, heard, self._weights[1], torch).cpu().numpy())


@contextmanager
def _own_stream(device: Any) -> Iterator[None]:
    """Within it torch works on a stream that those who measure pictures do not wait for."""
    if device.type != "cuda":
        yield
        return
    import torch

    with torch.cuda.device(device), torch.cuda.stream(_stream(device)):
        yield


@cache
def _stream(device: Any) -> Any:
    import torch

    return torch.cuda.Stream(device)


@cache
def card_scores(device: Any) -> CardScores:
    """That of a card, for all streams of the process.

    Args:
        device: Of torch.
    """
    return CardScores(device)
