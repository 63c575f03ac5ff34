"""Windows that are scored together on a card, here torch on the host: as each one alone."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gpu_qa.sync.content import shipped_weights, window_scores
from gpu_qa.sync.listener import Listener
from gpu_qa.sync.shots import LONGEST
from tests.test_content import answers

if TYPE_CHECKING:
    from concurrent.futures import Future

torch = pytest.importorskip("torch")

from gpu_qa.sync.together import AT_ONCE, CardScores  # noqa: E402

HOST = torch.device("cpu")


def windows(count: int, length: int = LONGEST) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(length)
    return [
        (
            rng.integers(0, 256, (length, 7, 24, 42), dtype=np.uint8),
            rng.normal(-5, 1, (4 * length + 320, 12)).astype(np.float32),
        )
        for _ in range(count)
    ]


def alone(codes: np.ndarray, sound: np.ndarray) -> np.ndarray:
    return np.asarray(window_scores(codes[None], sound[None], shipped_weights())[0])


def asked(card: CardScores, codes: np.ndarray, sound: np.ndarray) -> Future[np.ndarray]:
    return card.ask(codes, sound, shipped_weights())


def fits(card: CardScores, count: int, tolerance: float) -> None:
    given = [*windows(count), *windows(2, 30), *windows(1, 51)]
    found = [asked(card, *one) for one in given]
    for one, scores in zip(given, found, strict=True):
        np.testing.assert_allclose(scores.result(timeout=60), alone(*one), atol=tolerance)


def test_each_gets_its_own_scores() -> None:
    fits(CardScores(HOST), AT_ONCE + 3, 2e-4)


@pytest.mark.needs_cuda
def test_each_gets_its_own_scores_of_a_card() -> None:
    fits(CardScores(torch.device("cuda", 0)), 2 * AT_ONCE + 3, 1e-3)


def test_scores_do_not_depend_on_what_comes_at_the_same_time() -> None:
    one, *others = windows(5)
    by_itself = asked(CardScores(HOST, gather_s=0.0), *one).result(timeout=60)
    card = CardScores(HOST, gather_s=0.5)
    *_, last = [asked(card, *other) for other in (*others, one)]
    np.testing.assert_array_equal(last.result(timeout=60), by_itself)


def test_whole_windows_wait_for_one_another_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    card, batches = CardScores(HOST, gather_s=60.0), list[tuple[int, ...]]()
    scored = card._scored

    def noted(together: list[object]) -> np.ndarray:
        batches.append((len(together), len(together[0].codes)))  # type: ignore[attr-defined]
        return scored(together)  # type: ignore[arg-type]

    monkeypatch.setattr(card, "_scored", noted)
    found = [asked(card, *one) for one in windows(1, 40)]
    found += [asked(card, *one) for one in windows(AT_ONCE)]
    for scores in found:
        scores.result(timeout=60)
    assert batches == [(1, 40), (AT_ONCE, LONGEST)]


def test_its_thread_ends_when_nothing_waits_and_begins_again() -> None:
    card = CardScores(HOST, gather_s=0.0)
    for one in windows(2):
        asked(card, *one).result(timeout=60)
        for thread in threading.enumerate():
            if thread.name == "gpu-qa sync card":
                thread.join(timeout=60)
        assert not any(thread.name == "gpu-qa sync card" for thread in threading.enumerate())


def test_a_stream_on_a_card_has_the_answers_of_one_in_host_memory() -> None:
    listener, host = Listener(shipped_weights()), answers(Listener(shipped_weights()))
    listener.use(CardScores(HOST, gather_s=0.01))
    card = answers(listener)
    assert [one.start_s.tolist() for one in card] == [one.start_s.tolist() for one in host] != []
    for here, there in zip(card, host, strict=True):
        np.testing.assert_allclose(here.offset_s, there.offset_s, atol=1e-3)
        np.testing.assert_allclose(here.confidence, there.confidence, atol=1e-3)


def test_where_a_card_fails_the_host_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: CardScores, together: object) -> np.ndarray:
        raise RuntimeError("CUDA error: out of memory")

    monkeypatch.setattr(CardScores, "_scored", broken)
    listener = Listener(shipped_weights())
    listener.use(CardScores(HOST, gather_s=0.0))
    got, wanted = answers(listener), answers(Listener(shipped_weights()))
    assert len(got) == len(wanted) > 0
    np.testing.assert_allclose([one.offset_s for one in got], [one.offset_s for one in wanted], atol=1e-6)


def test_without_a_further_thread_windows_are_scored_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    fits(CardScores(HOST, gather_s=0.0), 2, 2e-4)
