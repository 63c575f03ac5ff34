"""Joins and steps, in processes of their own."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.content.measure import one_join, one_step

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.content.material import Clip
    from benchmarks.content.measure import Answered, StepTold
    from benchmarks.content.schema import Kind
    from gpu_qa.sync.content import Weights

JOINS: tuple[tuple[Kind, float], ...] = (
    ("talking", 10.0),
    ("talking", 30.0),
    ("talking", 60.0),
    ("close-up", 30.0),
    ("close-up", 60.0),
    ("strikes", 15.0),
    ("strikes", 30.0),
)
STEPS_MS = (150.0, -150.0, 300.0, -300.0, 0.0)


@dataclass(frozen=True, slots=True)
class Work:
    """What every process has."""

    pools: dict[tuple[Kind, str], list[Clip]]
    """Clips of each kind and half, and of "both"."""
    weights: Weights
    seed: int


@dataclass(frozen=True, slots=True)
class JoinTask:
    """One join."""

    row: int
    half: str
    number: int


@dataclass(frozen=True, slots=True)
class StepTask:
    """One join with every step."""

    number: int


_work: list[Work] = []
"""Of this process."""


def _begin(work: Work) -> None:
    _work[:] = [work]


def _joined(task: JoinTask) -> tuple[JoinTask, Answered, Answered]:
    work = _work[0]
    kind, seconds = JOINS[task.row]
    rng = np.random.default_rng([work.seed, task.row, task.half == "first", task.number])
    # Wrong sound is of all that is there, not of the same kind alone.
    strangers = work.pools["strikes" if task.number % 4 == 1 else "talking", "both"]
    right, wrong = one_join(work.pools[kind, task.half], strangers, seconds, task.number, rng, work.weights)
    return task, right, wrong


def _stepped(task: StepTask) -> tuple[list[StepTold], StepTold]:
    work = _work[0]
    rng = np.random.default_rng([work.seed, 1_000_000, task.number])
    # Nearly all who talk are in the join.
    strangers = work.pools["strikes", "both"]
    return one_step(work.pools["talking", "both"], strangers, STEPS_MS, task.number, rng, work.weights)


def done(
    work: Work, tasks: Sequence[JoinTask | StepTask], jobs: int
) -> Iterator[tuple[JoinTask, Answered, Answered] | tuple[list[StepTold], StepTold]]:
    """What comes of the tasks, in their order."""
    with ProcessPoolExecutor(jobs, get_context("spawn"), _begin, (work,)) as pool:
        yield from pool.map(_done, tasks, chunksize=4)


def _done(task: JoinTask | StepTask) -> tuple[JoinTask, Answered, Answered] | tuple[list[StepTold], StepTold]:
    return _joined(task) if isinstance(task, JoinTask) else _stepped(task)
