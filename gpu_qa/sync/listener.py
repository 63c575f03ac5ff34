"""The content way for one stream, in a thread beside the one that judges; its answers come in order."""

from __future__ import annotations

import os
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from threadpoolctl import ThreadpoolController

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
_TURNS = threading.BoundedSemaphore(os.cpu_count() or 1)
"""So many streams are listened to at a time. Most of the work is done without the GIL."""

_LIBRARIES: Any = ThreadpoolController()
"""Looked up with this module, before any thread of ours runs. The loader of libraries is locked meanwhile and Python is
called back: a thread that loads a module just then holds the GIL and waits for the loader, and neither ever goes on."""


class _OneThreadEach:
    """While anyone is listened to, products of matrices take one thread.

    The cores are for streams, and threads of BLAS that wait for one another's few rows cost more than the products: the
    content way took 55 ms of CPU time a second with two of them, and 9 ms with one, on two cores.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._limits: Any = None

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._limits = _LIBRARIES.limit(limits=1, user_api="blas")
            self._inside += 1

    def __exit__(self, *raised: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._limits.restore_original_limits()


_ONE_THREAD_EACH = _OneThreadEach()


class Listener:
    """Follows one stream's A/V offset by content.

    Args:
        weights: Of the nets.
        threaded: Work in a thread beside, which ends when there is nothing to do; answers then come with a later call,
            the last ones with the last call. Where the system gives no more threads, whoever brings something works.
    """

    def __init__(self, weights: Weights, *, threaded: bool = True) -> None:
        self._weights = weights
        self._threaded = threaded
        self._carry = ContentCarry()
        self._evidence: Evidence | None = None
        self._changed = threading.Condition()
        self._waiting: deque[tuple[Sequence[Seen], Sequence[AudioSeries], bool]] = deque()
        self._answers: list[SyncSeries] = []
        self._thread: threading.Thread | None = None
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
                self._waiting.append(([seen(one) for one in video], audio, finished))
            if self._waiting and self._thread is None:
                self._thread = self._started()
            last, alone = self._thread if finished else None, bool(self._waiting) and self._thread is None
            while self._thread is not None and len(self._waiting) > _MOST:
                self._changed.wait()
        if alone:
            self._work()
        if last is not None:
            last.join()
        with self._changed:
            if self._failure is not None:
                raise self._failure
            answers, self._answers = self._answers, []
        return answers

    def close(self) -> None:
        """Nothing more is wanted; waits for what is being done."""
        with self._changed:
            self._waiting.clear()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _started(self) -> threading.Thread | None:
        """A thread that works off what waits; null where the system gives no more threads."""
        thread = threading.Thread(target=self._work, name="gpu-qa sync", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return None
        return thread

    def _work(self) -> None:
        with _TURNS, _ONE_THREAD_EACH:
            self._work_off()

    def _work_off(self) -> None:
        while True:
            with self._changed:
                self._changed.notify_all()
                if not self._waiting or self._failure is not None:
                    self._thread = None
                    return
                video, audio, finished = self._waiting.popleft()
            try:
                answers = self._listened(video, audio, finished=finished)
            except Exception as error:  # noqa: BLE001 - it belongs to whoever asks next.
                answers, self._failure = [], error
            with self._changed:
                self._answers += answers

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
