"""The content way for one stream, in a thread beside the one that judges; its answers come in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpu_qa.sync.beside import Beside
from gpu_qa.sync.content import ContentCarry, content_windows, told, window_evidence
from gpu_qa.sync.evidence import gathered
from gpu_qa.sync.shots import seen
from gpu_qa_kernels.sync_net import FRAMES_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.series import AudioSeries, SyncSeries, VideoSeries
    from gpu_qa.sync.content import Weights
    from gpu_qa.sync.evidence import Evidence
    from gpu_qa.sync.shots import Seen

_MOST = 8
"""Series of a stream that wait to be looked at, at most; then whoever brings more waits."""


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
        self._beside = Beside(self._heard_job, "gpu-qa sync", threaded=threaded)

    def take(
        self, video: Sequence[VideoSeries] = (), audio: Sequence[AudioSeries] = (), *, finished: bool = False
    ) -> list[SyncSeries]:
        """Take what became complete; the answers since the last call.

        Args:
            video: Series with `motion`.
            audio: Series with `speech`.
            finished: Nothing follows: all answers.
        """
        if video or audio or finished:
            self._beside.add(([seen(one) for one in video], audio, finished))
            self._beside.wait(_MOST)
        return self._beside.take_all() if finished else self._beside.take()

    def close(self) -> None:
        """Nothing more is wanted; waits for what is being done."""
        self._beside.close()

    def _heard_job(self, job: tuple[Sequence[Seen], Sequence[AudioSeries], bool]) -> list[SyncSeries]:
        video, audio, finished = job
        return self._listened(video, audio, finished=finished)

    def _listened(
        self, video: Sequence[VideoSeries | Seen], audio: Sequence[AudioSeries], *, finished: bool
    ) -> list[SyncSeries]:
        heard, self._carry = content_windows(self._carry, video, audio, finished=finished)
        answers = []
        for one in heard:
            fresh = window_evidence(one, self._weights)
            if fresh is not None:
                start_s, length_s = one.window.first / FRAMES_PER_S, len(one.window) / FRAMES_PER_S
                self._evidence = gathered(self._evidence, fresh, start_s, length_s)
                answers.append(told(one, self._evidence))
        return answers
