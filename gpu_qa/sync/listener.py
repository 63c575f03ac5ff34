"""The content way for one stream: windows are cut and scored beside the thread that judges; answers come in order."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gpu_qa.series import SYNC_SURE
from gpu_qa.sync.beside import Beside
from gpu_qa.sync.content import (
    ContentCarry,
    content_windows,
    sound_of,
    told,
    untold,
    unusable,
    window_evidence,
    window_scores,
)
from gpu_qa.sync.evidence import gathered, is_news, unchanged
from gpu_qa.sync.material import Material, with_unusable, with_used
from gpu_qa.sync.repeats import NOTHING, is_repeat
from gpu_qa.sync.shots import seen
from gpu_qa_kernels.sync_net import AUDIO_MARGIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.series import AudioSeries, SyncSeries, VideoSeries
    from gpu_qa.sync.content import Heard, Weights
    from gpu_qa.sync.evidence import Evidence
    from gpu_qa.sync.material import Unusable
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
    """A window whose scores are being found, or that has none."""

    heard: Heard
    is_anew: bool
    """The stream's clock has jumped before it: another programme begins."""
    unusable: Unusable | None = None
    """Why it says nothing."""
    scores: Future[np.ndarray] | None = None
    """Null where it says nothing, or nothing new."""

    @property
    def is_found(self) -> bool:
        return self.scores is None or self.scores.done()


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
        self._known = NOTHING
        """Of the thread beside, as the carry is."""
        self._ahead_s: list[float] = []
        """Jumps of the clock that no window has passed; of the thread beside."""
        self._evidence: Evidence | None = None
        self.material = Material()
        """What has come so far."""
        self._card: CardScores | None = None
        self._asked: deque[_Asked] = deque()
        self._video: list[Seen] = []
        self._audio: list[AudioSeries] = []
        self._jumps_s: list[float] = []
        self._beside = Beside(self._listened, "gpu-qa sync", threaded=threaded)

    def use(self, card: CardScores) -> None:
        """From now on windows are scored on a card, beside those of other streams."""
        self._card = card

    def take(
        self,
        video: Sequence[VideoSeries] = (),
        audio: Sequence[AudioSeries] = (),
        *,
        jumps_s: Sequence[float] = (),
        finished: bool = False,
    ) -> list[SyncSeries]:
        """Take what became complete; the answers since the last call, NaN of a window that says nothing.

        Args:
            video: Series with `motion`.
            audio: Series with `speech`.
            jumps_s: Where the stream's timestamps jumped, seconds on its clock; not after series that lie behind it.
            finished: Nothing follows: all answers.
        """
        self._video += map(seen, video)
        self._audio += audio
        self._jumps_s += jumps_s
        if finished or len(self._video) + len(self._audio) >= _GATHERED:
            self._beside.add((self._video, self._audio, self._jumps_s, finished))
            self._video, self._audio, self._jumps_s = [], [], []
            self._beside.wait(_JOBS)
        self._asked += self._beside.take_all() if finished else self._beside.take()
        answers = []
        while self._asked and (finished or len(self._asked) > _MOST or self._asked[0].is_found):
            answers.append(self._answer(self._asked.popleft()))
        return answers

    def close(self) -> None:
        """Nothing more is wanted; waits for what is being done."""
        self._beside.close()
        self._asked.clear()

    def _listened(self, job: tuple[Sequence[Seen], Sequence[AudioSeries], Sequence[float], bool]) -> list[_Asked]:
        video, audio, jumps_s, finished = job
        self._ahead_s += jumps_s
        windows, self._carry = content_windows(self._carry, video, audio, finished=finished)
        return [self._looked_at(heard) for heard in windows]

    def _looked_at(self, heard: Heard) -> _Asked:
        # A window in which the clock jumps is of the programme that most of it shows.
        passed = [at_s for at_s in self._ahead_s if at_s <= (heard.start_s + heard.end_s) / 2]
        if passed:
            self._ahead_s = [at_s for at_s in self._ahead_s if at_s > max(passed)]
            self._known = NOTHING
        why = unusable(heard)
        if why is not None:
            return _Asked(heard, bool(passed), why)
        sound = sound_of(heard)
        repeats, self._known = is_repeat(heard.window, sound[AUDIO_MARGIN:-AUDIO_MARGIN], self._known)
        return _Asked(heard, bool(passed), None, None if repeats else self._scores(heard, sound))

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
        length_s = heard.end_s - heard.start_s
        if asked.is_anew:
            self._evidence = None
        if asked.unusable is not None:
            self.material = with_unusable(self.material, length_s, asked.unusable)
            return untold(heard)
        self.material = with_used(self.material, length_s, is_repeat=asked.scores is None)
        if asked.scores is None:
            # What it repeats has told already, and is told as long as it lasts.
            self._evidence = unchanged(self._evidence) if self._evidence is not None else None
            return told(heard, self._evidence) if self._evidence is not None else untold(heard)
        try:
            scores = asked.scores.result()
        except Exception:  # noqa: BLE001 - the card failed; what it would have said can be found here as well.
            self._card = None
            scores = self._scored_here(heard, sound_of(heard))
        self._evidence = gathered(self._evidence, window_evidence(scores), heard.start_s, length_s)
        answer = told(heard, self._evidence)
        is_stale = float(answer.confidence[0]) >= SYNC_SURE and not is_news(
            self._evidence, float(answer.offset_s[0]), heard.end_s
        )
        return untold(heard) if is_stale else answer
