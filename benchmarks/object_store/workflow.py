"""The orchestrator: a state machine that is run once per chunk, step by step, every step counted.

The machine has the form of Amazon States Language (states-language.net): tasks that call a service, and a parallel
state whose branches run beside one another. AWS counts a transition each time a step is executed (Step Functions
pricing); the transition into the start and the one to the end are not counted here.
"""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.object_store.payload import PAYLOAD_LIMIT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.object_store.service import Service


class PayloadError(RuntimeError):
    """A state hands on more than a workflow may carry."""


@dataclass(frozen=True, slots=True)
class Task:
    """A state that calls a service."""

    service: str
    next: str | None
    """Null ends the machine."""


@dataclass(frozen=True, slots=True)
class Parallel:
    """A state whose branches run beside one another, each one task."""

    branches: tuple[Task, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Machine:
    """States by name."""

    start: str
    states: Mapping[str, Task | Parallel]


@dataclass(slots=True)
class Execution:
    """What one run of the machine needed."""

    transitions: int = 0
    latency_s: float = 0.0
    """From its start, with all the chunk's packets at hand, to its end."""
    payload_bytes: int = 0
    """The largest input or output of a state."""
    result: dict[str, Any] = field(default_factory=dict)
    """What the states left: each one's answer under its service's name."""


def monitoring(detectors: Sequence[str]) -> Machine:
    """Convert, then all detectors side by side, then collect."""
    return Machine(
        "Convert",
        {
            "Convert": Task("converter", "Detect"),
            "Detect": Parallel(tuple(Task(name, None) for name in detectors), "Collect"),
            "Collect": Task("collector", None),
        },
    )


class Orchestrator:
    """Runs the machine chunk after chunk for one stream.

    Args:
        machine: What is to be run.
        services: By name.
        detectors: Those whose carry is handed on from chunk to chunk.
    """

    def __init__(self, machine: Machine, services: Mapping[str, Service], detectors: Sequence[str]) -> None:
        self._machine = machine
        self._services = services
        self._threads = ThreadPoolExecutor(max(1, len(detectors)))
        self._carry: dict[str, str | None] = dict.fromkeys(detectors)
        self._before: str | None = None
        self._state: str | None = None

    def close(self) -> None:
        """Let its threads go."""
        self._threads.shutdown()

    def run(self) -> Execution:
        """Run the machine on the next chunk.

        Raises:
            PayloadError: A state's input or output is larger than a workflow may carry.
        """
        execution = Execution()
        begun_s = time.perf_counter()
        name: str | None = self._machine.start
        while name is not None:
            state = self._machine.states[name]
            tasks = (state,) if isinstance(state, Task) else state.branches
            requests = [self._request(task.service, execution.result) for task in tasks]
            answers = list(self._threads.map(self._invoke, tasks, requests))
            # A parallel state hands on all its branches' answers together.
            for value in (*requests, answers):
                execution.payload_bytes = max(execution.payload_bytes, _size(value))
            execution.transitions += len(tasks) + isinstance(state, Parallel)
            execution.result |= {task.service: answer for task, answer in zip(tasks, answers, strict=True)}
            name = state.next
        execution.latency_s = time.perf_counter() - begun_s
        self._hand_on(execution.result)
        return execution

    def _invoke(self, task: Task, request: dict[str, Any]) -> dict[str, Any]:
        return self._services[task.service].invoke(request)

    def _request(self, service: str, result: dict[str, Any]) -> dict[str, Any]:
        if service == "converter":
            return {}
        chunk = result["converter"]["chunk"]
        if service == "collector":
            evidence = {name: result[name]["evidence"] for name in self._carry}
            return {"chunk": chunk, "evidence": evidence, "state": self._state}
        return {"chunk": chunk, "before": self._before, "carry": self._carry[service]}

    def _hand_on(self, result: dict[str, Any]) -> None:
        self._before = result["converter"]["last_frame"] or self._before
        self._carry = {name: result[name]["carry"] for name in self._carry}
        self._state = result["collector"]["state"]


def _size(value: Any) -> int:
    """Bytes of a state's input or output.

    Raises:
        PayloadError: More than a workflow may carry.
    """
    size = len(json.dumps(value).encode())
    if size > PAYLOAD_LIMIT:
        raise PayloadError(f"a state hands on {size} bytes, more than the {PAYLOAD_LIMIT} of a workflow's limit")
    return size
