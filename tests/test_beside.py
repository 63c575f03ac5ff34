"""Work in a thread beside: order, waiting, faults."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gpu_qa.sync.beside import Beside

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("threaded", [True, False])
def test_answers_come_in_the_order_of_the_jobs(threaded: bool) -> None:
    beside: Beside[int, int] = Beside(lambda job: [job] * job, "test", threaded=threaded)
    for job in range(4):
        beside.add(job)
    assert beside.take(3) == [1, 2, 2]
    beside.add(1)
    assert beside.take_all() == [3, 3, 3, 1]
    assert (beside.done, beside.waiting) == (0, 0)
    beside.close()


def test_only_what_is_done_is_taken_and_what_waits_is_counted() -> None:
    goes_on = threading.Event()
    beside: Beside[int, int] = Beside(lambda job: [job] if goes_on.wait(20) else [], "test")
    for job in range(4):
        beside.add(job)
    beside.wait(3)
    assert (beside.take(), beside.waiting) == ([], 3)
    goes_on.set()
    beside.wait(0)
    assert beside.take_all() == [0, 1, 2, 3]


def test_closing_drops_what_has_not_begun() -> None:
    begun, goes_on = threading.Event(), threading.Event()
    done = []

    def work(job: int) -> list[int]:
        begun.set()
        goes_on.wait(20)
        done.append(job)
        return []

    beside: Beside[int, int] = Beside(work, "test")
    beside.add(1)
    beside.add(2)
    begun.wait(20)
    threading.Timer(0.05, goes_on.set).start()
    beside.close()
    assert done == [1]


def test_a_fault_comes_out_where_answers_are_taken() -> None:
    def work(job: int) -> list[int]:
        return [1 // job]

    beside: Beside[int, int] = Beside(work, "test")
    beside.add(0)
    beside.add(1)
    with pytest.raises(ZeroDivisionError):
        beside.take(2)
    assert beside.has_failed
    beside.wait(0)
    with pytest.raises(ZeroDivisionError):
        beside.take_all()
    beside.close()


def test_where_there_are_no_more_threads_whoever_brings_a_job_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    beside: Beside[int, int] = Beside(lambda job: [job], "test")
    beside.add(1)
    beside.add(2)
    assert (beside.done, beside.take_all()) == (2, [1, 2])
    beside.close()


def test_libraries_are_looked_up_before_any_thread_runs() -> None:
    """Looking for them locks the loader and calls Python: beside a thread that loads a module neither would go on."""
    program = (
        "from gpu_qa.sync import beside\n"
        "import threadpoolctl\n"
        "threadpoolctl.ThreadpoolController = beside.ThreadpoolController = None\n"
        "with beside._ONE_THREAD_EACH: pass\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)
