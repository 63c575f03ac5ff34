"""The content way for one stream: windows are cut and scored beside the thread that judges; answers come in order."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gpu_qa.sync.beside import Beside
from gpu_qa.sync.content import ContentCarry, content_windows, scorable, told, window_evidence, window_scores
from gpu_qa.sync.evidence import gathered
from gpu_qa.sync.shots import seen
from gpu_qa_kernels.sync_net import FRAMES_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.series import AudioSeries, SyncSeries, VideoSeries
    from gpu_qa.sync.content import Heard, Weights
    from gpu_qa.sync.evidence import Evidence
    from gpu_qa.sync.shots import Seen
    from gpu_qa.sync.together import CardScores

_MOST = 8
"""Windows that wait for a card, at most; then whoever brings more waits."""
_GATHERED = 6
"""Series of a stream that are looked at in one go, some 2 s of it: a thread that begins, and threads that take turns
with it, cost more than a short series does."""
_JOBS = 2
"""So many times that waits to be looked at, at most; then whoever brings more waits."""


class _Asked(NamedTuple):
    """A window whose scores are being found."""

    heard: Heard
    sound: np.ndarray
    """As the net takes it."""
    scores: Future[np.ndarray]


class Listener:
    """Follows one stream's A/V offset by content.

    Args:
        weights: Of the nets.
        threaded: Work in a thread beside, which ends when there is nothing to do; answers then come with a later call,
            the last ones with the last call. Where the system gives no more threads, whoever brings something works.
    """

    def __init__(self, weights: Weights, *, threaded: bool = True) -> None:
        self._weights = weights
        self._carry = ContentCarry()
        self._evidence: Evidence | None = None
        self._card: CardScores | None = None
        self._asked: deque[_Asked] = deque()
        self._video: list[Seen] = []
        self._audio: list[AudioSeries] = []
        self._beside = Beside(self._listened, "gpu-qa sync", threaded=threaded)

    def use(self, card: CardScores) -> None:
        """From now on windows are scored on a card, beside those of other streams."""
        self._card = card

    def take(
        self, video: Sequence[VideoSeries] = (), audio: Sequence[AudioSeries] = (), *, finished: bool = False
    ) -> list[SyncSeries]:
        """Take what became complete; the answers since the last call.

        Args:
            video: Series with `motion`.
            audio: Series with `speech`.
            finished: Nothing follows: all answers.
        """
        self._video += map(seen, video)
        self._audio += audio
        if finished or len(self._video) + len(self._audio) >= _GATHERED:
            self._beside.add((self._video, self._audio, finished))
            self._video, self._audio = [], []
            self._beside.wait(_JOBS)
        self._asked += self._beside.take_all() if finished else self._beside.take()
        answers = []
        while self._asked and (finished or len(self._asked) > _MOST or self._asked[0].scores.done()):
            answers.append(self._answer(self._asked.popleft()))
        return answers

    def close(self) -> None:
        """Nothing more is wanted; waits for what is being done."""
        self._beside.close()
        self._asked.clear()

    def _listened(self, job: tuple[Sequence[Seen], Sequence[AudioSeries], bool]) -> list[_Asked]:
        video, audio, finished = job
        windows, self._carry = content_windows(self._carry, video, audio, finished=finished)
        asked = []
        for heard in windows:
            sound = scorable(heard)
            if sound is not None:
                asked.append(_Asked(heard, sound, self._scores(heard, sound)))
        return asked

    def _scores(self, heard: Heard, sound: np.ndarray) -> Future[np.ndarray]:
        if self._card is not None:
            return self._card.ask(heard.window.motion, sound, self._weights)
        found: Future[np.ndarray] = Future()
        found.set_result(self._scored_here(heard, sound))
        return found

    def _scored_here(self, heard: Heard, sound: np.ndarray) -> np.ndarray:
        return np.asarray(window_scores(heard.window.motion[None], sound[None], self._weights)[0])

    def _answer(self, asked: _Asked) -> SyncSeries:
        heard = asked.heard
        try:
            scores = asked.scores.result()
        except Exception:  # noqa: BLE001 - the card failed; what it would have said can be found here as well.
            self._card = None
            scores = self._scored_here(heard, asked.sound)
        start_s, length_s = heard.window.first / FRAMES_PER_S, len(heard.window) / FRAMES_PER_S
        self._evidence = gathered(self._evidence, window_evidence(scores), start_s, length_s)
        return told(heard, self._evidence)
