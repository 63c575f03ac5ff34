"""The services as processes of their own, which stay warm between invocations, and how they are invoked.

    python -m benchmarks.object_store.service converter|collector|DETECTOR CONNECTIONS

A line of JSON on standard input is a request, a line on standard output its answer. Where the object store is, with its
key, comes with the first line.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from benchmarks.object_store.collection import Collected, Collection
from benchmarks.object_store.converter import Converter, ConverterSettings
from benchmarks.object_store.detection import Detection
from benchmarks.object_store.meter import Cost, Meter, process_cpu_s
from benchmarks.object_store.payload import packed, unpacked
from benchmarks.object_store.server import Access
from benchmarks.object_store.store import Store, Traffic
from benchmarks.result import ROOT, python_environment
from gpu_qa.bench.usage import peak_mb
from gpu_qa.events import TrackerState

if TYPE_CHECKING:
    from collections.abc import Callable

_STOP_S = 10.0


class ServiceError(RuntimeError):
    """A service failed; the message holds what it said."""


class Service:
    """A service's process, from outside.

    Args:
        role: `converter`, `collector` or a detector's name.
        access: The object store.
        connections: Requests that it may have under way at once.
    """

    def __init__(self, role: str, access: Access, connections: int) -> None:
        self.role = role
        self.cost = Cost()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.object_store.service", role, str(connections)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=python_environment(),
            cwd=ROOT,
            text=True,
        )
        self._say(asdict(access))

    def invoke(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request, wait for the answer, and add up what it cost.

        Raises:
            ServiceError: The service ended instead of answering.
        """
        self._say(request)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise self._failure()
        answer = json.loads(line)
        cost = answer.pop("cost")
        self.cost.add(Cost(**{**cost, "traffic": Traffic(**cost["traffic"])}))
        result: dict[str, Any] = answer["result"]
        return result

    def close(self) -> None:
        """Let it end."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._log.close()

    def _say(self, value: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(value) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._failure() from None

    def _failure(self) -> ServiceError:
        code = self._process.wait()
        self._log.seek(0)
        said = self._log.read().decode("utf-8", "replace")[-3000:]
        return ServiceError(f"the {self.role} service ended with {code}:\n{said}")


def _converter(store: Store, meter: Meter) -> Callable[[dict[str, Any]], dict[str, Any]]:
    converter: Converter | None = None

    def handle(request: dict[str, Any]) -> dict[str, Any]:
        nonlocal converter
        if "open" in request:
            settings = ConverterSettings(**request["settings"])
            converter = Converter(request["open"], request["prefix"], settings, store, meter)
            return {}
        if converter is None:
            raise ValueError("no stream is open")
        chunk = converter.convert()
        last = chunk.frames[-1] if chunk.frames else None
        return {"chunk": packed(chunk), "last_frame": packed(last) if last else None, "last": chunk.last}

    return handle


def _collector(store: Store, meter: Meter) -> Callable[[dict[str, Any]], dict[str, Any]]:
    collection = Collection(store, meter)

    def handle(request: dict[str, Any]) -> dict[str, Any]:
        state = unpacked(request["state"]) if request["state"] else Collected(TrackerState("stream"))
        evidence = {name: unpacked(found) for name, found in request["evidence"].items()}
        events, state = collection.collect(unpacked(request["chunk"]), evidence, state)
        return {"events": [asdict(event) for event in events], "state": packed(state)}

    return handle


def _detector(name: str, store: Store, meter: Meter) -> Callable[[dict[str, Any]], dict[str, Any]]:
    detection = Detection(name, store, meter)

    def handle(request: dict[str, Any]) -> dict[str, Any]:
        before = unpacked(request["before"]) if request["before"] else None
        carry = unpacked(request["carry"]) if request["carry"] else None
        evidence, carry = detection.detect(unpacked(request["chunk"]), before, carry)
        return {"evidence": packed(evidence), "carry": packed(carry)}

    return handle


def main(arguments: list[str]) -> int:
    """Answer requests until there are no more."""
    role, connections = arguments
    meter = Meter()
    store = Store(Access(**json.loads(sys.stdin.readline())), int(connections))
    if role == "converter":
        handle = _converter(store, meter)
    elif role == "collector":
        handle = _collector(store, meter)
    else:
        handle = _detector(role, store, meter)
    cpu_s = process_cpu_s()
    for line in sys.stdin:
        begun_s = time.perf_counter()
        result = handle(json.loads(line))
        until_s = process_cpu_s()
        cost = Cost(
            invocations=1,
            wall_s=time.perf_counter() - begun_s,
            # From answer to answer, so that reading the request and writing the answer are in it.
            cpu_s=until_s - cpu_s,
            parts=meter.taken(),
            traffic=store.traffic,
            peak_mb=peak_mb(),
        )
        cpu_s, store.traffic = until_s, Traffic()
        print(json.dumps({"result": result, "cost": asdict(cost)}, default=str), flush=True)
    store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
