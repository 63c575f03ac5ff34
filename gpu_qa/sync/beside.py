"""Work for one stream in a thread beside the one that judges, in order."""

from __future__ import annotations

import os
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from threadpoolctl import ThreadpoolController

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Beside"]

_Job = TypeVar("_Job")
_Answer = TypeVar("_Answer")
_TURNS = threading.BoundedSemaphore(os.cpu_count() or 1)
"""So many streams are worked for at a time. Most of the work is done without the GIL."""
_LIBRARIES: Any = ThreadpoolController()
"""Looked up with this module, before any thread of ours runs. The loader of libraries is locked meanwhile and Python is
called back: a thread that loads a module just then holds the GIL and waits for the loader, and neither ever goes on."""


class _OneThreadEach:
    """While anyone is worked for, products of matrices take one thread.

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


class Beside(Generic[_Job, _Answer]):
    """Does jobs one after the other in a thread that ends when there are none.

    Where the system gives no more threads, whoever brings a job does it.

    Args:
        work: Gives the answers of a job.
        name: What the thread is called.
        threaded: False does each job at once, in the caller's thread.
    """

    def __init__(self, work: Callable[[_Job], list[_Answer]], name: str, *, threaded: bool = True) -> None:
        self._work = work
        self._name = name
        self._threaded = threaded
        self._changed = threading.Condition()
        self._waiting: deque[_Job] = deque()
        self._answers: deque[list[_Answer]] = deque()
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    @property
    def done(self) -> int:
        """Jobs whose answers have not been taken yet."""
        return len(self._answers)

    @property
    def waiting(self) -> int:
        """Jobs that have not begun."""
        return len(self._waiting)

    @property
    def has_failed(self) -> bool:
        """No further job is done; who takes answers learns why."""
        return self._failure is not None

    def add(self, job: _Job) -> None:
        """Have a job done."""
        if not self._threaded:
            # As in a thread: products of matrices differ in their last bits by how many threads make them.
            with _ONE_THREAD_EACH:
                self._answers.append(self._work(job))
            return
        with self._changed:
            self._waiting.append(job)
            if self._thread is not None or self._failure is not None:
                return
            self._thread = self._started()
            if self._thread is not None:
                return
        self._run()

    def wait(self, most: int) -> None:
        """Wait until no more jobs than this have not begun."""
        with self._changed:
            while self._thread is not None and len(self._waiting) > most:
                self._changed.wait()

    def take(self, count: int | None = None) -> list[_Answer]:
        """Answers, in order. What a job raised is raised here.

        Args:
            count: Of so many jobs, which are waited for; null: of those that are done.
        """
        with self._changed:
            while count is not None and self._thread is not None and len(self._answers) < count:
                self._changed.wait()
            if self._failure is not None:
                raise self._failure
            taken = min(len(self._answers), len(self._answers) if count is None else count)
            return [answer for _ in range(taken) for answer in self._answers.popleft()]

    def take_all(self) -> list[_Answer]:
        """Answers of all jobs, which are waited for."""
        with self._changed:
            thread = self._thread
        if thread is not None:
            thread.join()
        return self.take()

    def close(self) -> None:
        """Nothing more is wanted; waits for what is being done."""
        with self._changed:
            self._waiting.clear()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _started(self) -> threading.Thread | None:
        """A thread that works off what waits; null where the system gives no more threads."""
        thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return None
        return thread

    def _run(self) -> None:
        with _TURNS, _ONE_THREAD_EACH:
            while True:
                with self._changed:
                    if not self._waiting or self._failure is not None:
                        self._thread = None
                        self._changed.notify_all()
                        return
                    job = self._waiting.popleft()
                    self._changed.notify_all()
                try:
                    answers, failure = self._work(job), None
                except Exception as error:  # noqa: BLE001 - it belongs to whoever asks next.
                    answers, failure = [], error
                with self._changed:
                    self._failure = failure
                    self._answers.append(answers)
                    self._changed.notify_all()
