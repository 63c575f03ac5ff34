"""The content way for one stream, in a thread beside the one that judges; its answers come in order."""

from __future__ import annotations

import os
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING

from gpu_qa.sync.content import ContentCarry, answer_of, content_windows, gathered, told, window_evidence
from gpu_qa_kernels.sync_net import FRAMES_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.series import AudioSeries, SyncSeries, VideoSeries
    from gpu_qa.sync.content import Evidence, Weights

_MOST = 8
"""Series of a stream that wait to be looked at, at most; then whoever brings more waits."""


@cache
def _threads() -> ThreadPoolExecutor:
    """Shared by all streams. Most of the work is done without the GIL."""
    return ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="gpu-qa sync")


class Listener:
    """Follows one stream's A/V offset by content.

    Args:
        weights: Of the nets.
        threaded: Work in a thread beside; answers then come with a later call, the last ones with the last call.
    """

    def __init__(self, weights: Weights, *, threaded: bool = True) -> None:
        self._weights = weights
        self._threaded = threaded
        self._carry = ContentCarry()
        self._evidence: Evidence | None = None
        self._changed = threading.Condition()
        self._waiting: deque[tuple[Sequence[VideoSeries], Sequence[AudioSeries], bool]] = deque()
        self._answers: list[SyncSeries] = []
        self._works = False
        self._failure: BaseException | None = None

    def take(
        self, video: Sequence[VideoSeries] = (), audio: Sequence[AudioSeries] = (), *, finished: bool = False
    ) -> list[SyncSeries]:
        """Take what became complete; the answers since the last call.

        Args:
            video: Series with `motion`.
            audio: Series with `speech`.
            finished: Nothing follows: all answers.
        """
        if not self._threaded:
            return self._listened(video, audio, finished=finished)
        with self._changed:
            if video or audio or finished:
                self._waiting.append((video, audio, finished))
            if self._waiting and not self._works:
                self._works = True
                _threads().submit(self._work)
            while self._works and (finished or len(self._waiting) > _MOST):
                self._changed.wait()
            if self._failure is not None:
                raise self._failure
            answers, self._answers = self._answers, []
        return answers

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.notify_all()
                if not self._waiting or self._failure is not None:
                    self._works = False
                    return
                video, audio, finished = self._waiting.popleft()
            try:
                answers = self._listened(video, audio, finished=finished)
            except Exception as error:  # noqa: BLE001 - it belongs to whoever asks next.
                answers, self._failure = [], error
            with self._changed:
                self._answers += answers

    def _listened(
        self, video: Sequence[VideoSeries], audio: Sequence[AudioSeries], *, finished: bool
    ) -> list[SyncSeries]:
        heard, self._carry = content_windows(self._carry, video, audio, finished=finished)
        answers = []
        for one in heard:
            fresh = window_evidence(one, self._weights)
            if fresh is not None:
                self._evidence = gathered(self._evidence, fresh, len(one.window) / FRAMES_PER_S)
                answers.append(told(one, answer_of(self._evidence)))
        return answers
