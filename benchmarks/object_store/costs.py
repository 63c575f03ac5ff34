"""From what was measured to dollars per stream-hour: pure arithmetic, every assumption a field."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from benchmarks.object_store.usage import Share
from gpu_qa.config import known_detectors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.object_store.usage import OneProcessUse, RunUse, ServiceUse

HOUR_S = 3600.0
GB = 2**30
"""Bytes of a GB as the services' bills count them."""
VCPU_GB = 1.769
"""Memory in GB with which a function gets one vCPU (AWS Lambda developer guide: 1769 MB); below, in proportion."""
_MONTH_H = 730.0
_EXPRESS_GB = 0.0625
"""An Express workflow is billed in chunks of 64 MB; ours hands on some kilobytes."""
_WORK = ("measure", "weigh", "track")
"""Parts of a service that one process has too, beside decoding."""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What measuring does not tell. Each field is an option of the command line."""

    workflow: Literal["standard", "express", "none"] = "standard"
    """How the steps are paid for: by state transition, by run and duration, or not at all."""
    storage: Literal["standard", "express", "none"] = "standard"
    """Where frames wait: S3 Standard, S3 Express One Zone, or handed on for nothing."""
    compute: Literal["functions", "containers", "machine"] = "functions"
    """What the services run on: Lambda functions, Fargate containers that are always on, or the machine of the one
    process."""
    transitions_per_s: float | None = None
    """State transitions per second of stream; as counted in the run by default."""
    converter_gb: float = VCPU_GB
    """Memory of the converter's function in GB; the default is one vCPU."""
    detector_gb: float = 0.5
    """Memory of the detectors' and the collector's functions in GB; less than one vCPU's makes them slower, not
    cheaper, except that waiting costs less."""
    container_gb: float = 2.0
    """Memory of a container in GB per vCPU."""
    request_wait_ms: float | None = None
    """How long a function waits for requests that are under way together; as measured on the loopback by default."""
    retention_h: float = 0.0
    """How long objects are kept; the collector deletes them after a second or two, and deleting is free."""
    utilisation: float = 0.7
    """Share of a machine's or container's vCPUs that is used on average, 0…1."""
    function_speed: float = 1.0
    """Speed of a function's vCPU, where that of the core measured on is 1."""
    machine_speed: float = 1.0
    """Speed of a machine's or container's vCPU, likewise."""
    function_discount: float = 0.0
    """Off the functions' GB-seconds, 0…1, such as by a savings plan."""
    machine_discount: float = 0.0
    """Off the machine's and the containers' price, 0…1, such as by spot or savings plans."""
    only_detectors: tuple[str, ...] = ()
    """Leave the other detectors' services out; one process keeps its measured cost. Empty: all of them."""
    more_detectors: int = 0
    """Add so many detectors, each like the mean of those that read frames."""
    work_factor: float = 1.0
    """Measuring and judging take so many times the CPU, in both designs."""

    def __post_init__(self) -> None:
        for name in ("converter_gb", "detector_gb", "utilisation", "function_speed", "machine_speed"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be more than 0")
        for name in ("retention_h", "container_gb", "more_detectors", "work_factor"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be 0 or more")
        for name in ("function_discount", "machine_discount"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be 0 or more and less than 1")
        if self.utilisation > 1:
            raise ValueError("utilisation must be 1 or less")


@dataclass(frozen=True, slots=True)
class Costs:
    """Both designs under one set of assumptions, USD per stream-hour."""

    shares: tuple[Share, ...]
    distributed: float
    one_process: float
    slowest: str
    """The service that takes longest for a chunk."""
    busy: float
    """How long that is, as a share of the chunk's length; beyond 1 it does not keep up."""

    @property
    def saving(self) -> float:
        """1 − one process / distributed."""
        return 1.0 - self.one_process / self.distributed if self.distributed else 0.0


def costs(run: RunUse, one: OneProcessUse, usd: Mapping[str, float], assumed: Assumptions = Assumptions()) -> Costs:
    """What both designs cost.

    Args:
        run: The distributed design as measured.
        one: One process as measured on the same clip.
        usd: Prices by name.
        assumed: All that is not measured.
    """
    used = [
        service
        for service in run.services
        if service.role != "detector" or not assumed.only_detectors or service.name in assumed.only_detectors
    ]
    model = _Model(run, used, usd, assumed)
    decode_s, work_s = _one_process_s(run, used, one, assumed)
    machine = model.machine_cpu_s * HOUR_S
    parts = [
        model.orchestration(),
        *model.storage(),
        *model.handling(),
        ("decoding the stream", *model.compute(("decode",), 1.0), decode_s * machine),
        ("measuring and judging", *model.compute(_WORK, assumed.work_factor), work_s * machine),
    ]
    distributed, one_process = sum(part[2] for part in parts), sum(part[3] for part in parts)
    saved = distributed - one_process
    shares = tuple(
        Share(name, quantity, there, here, (there - here) / saved if saved else 0.0)
        for name, quantity, there, here in parts
    )
    slowest, busy = model.slowest()
    return Costs(shares, distributed, one_process, slowest, busy)


def _one_process_s(
    run: RunUse, used: Sequence[ServiceUse], one: OneProcessUse, assumed: Assumptions
) -> tuple[float, float]:
    """CPU seconds of decoding and of all else in one process.

    Its decoding is taken to cost what the converter's does: the same decoder on the same clip.
    """
    decode_s = min(one.cpu_s.median, sum(service.parts.get("decode", 0.0) for service in used))
    frames = one.frames_per_s / run.frames_per_s if run.frames_per_s else 1.0
    more_s = assumed.more_detectors * _mean(used, "weigh") * frames
    return decode_s, (one.cpu_s.median - decode_s + more_s) * assumed.work_factor


def _mean(used: Sequence[ServiceUse], part: str) -> float:
    """CPU seconds of a part in the mean of the detectors that read frames."""
    readers = _frame_readers(used)
    return sum(service.parts.get(part, 0.0) for service in readers) / len(readers) if readers else 0.0


def _frame_readers(used: Sequence[ServiceUse]) -> list[ServiceUse]:
    """Detectors that read frames."""
    detectors = known_detectors()
    return [one for one in used if one.role == "detector" and detectors[one.name].consumes == "video"]


class _Model:
    """The parts of the distributed design's costs: name, quantity, USD per stream-hour, the same in one process."""

    def __init__(self, run: RunUse, used: Sequence[ServiceUse], usd: Mapping[str, float], assumed: Assumptions) -> None:
        self._run = run
        self._usd = usd
        self._assumed = assumed
        readers = _frame_readers(used)
        each = assumed.more_detectors / len(readers) if readers else 0.0
        self._used = [(service, 1.0 + (each if service in readers else 0.0)) for service in used]
        self._detectors = sum(count for service, count in self._used if service.role == "detector")
        self._base = sum(service.role == "detector" for service in run.services)

    @property
    def machine_cpu_s(self) -> float:
        """USD of a CPU second on the machine."""
        usd, assumed = self._usd, self._assumed
        price_h = usd["machine_h"] / usd["machine_vcpus"] * (1.0 - assumed.machine_discount)
        return price_h / HOUR_S / assumed.machine_speed / assumed.utilisation

    def orchestration(self) -> tuple[str, str, float, float]:
        """Steps of the workflow."""
        usd, assumed, run = self._usd, self._assumed, self._run
        transitions = run.transitions + (self._detectors - self._base) * run.executions
        if assumed.transitions_per_s is not None:
            transitions = assumed.transitions_per_s
        price, quantity = transitions * usd["transition"], f"{transitions:.3g} transitions"
        if assumed.workflow == "express":
            billed_s = math.ceil(run.latency_s.median * 10) / 10
            price = run.executions * (usd["express_workflow"] + billed_s * _EXPRESS_GB * usd["express_workflow_gb_s"])
            quantity = f"{run.executions:.3g} runs of {billed_s:.1f} s"
        elif assumed.workflow == "none":
            price = 0.0
        return "orchestration", quantity, price * HOUR_S, 0.0

    def storage(self) -> list[tuple[str, str, float, float]]:
        """Requests, and bytes where bytes are charged for."""
        usd, assumed = self._usd, self._assumed
        puts, gets = self._sum("puts"), self._sum("gets")
        put_gb, get_gb = self._sum("put_bytes") / GB, self._sum("get_bytes") / GB
        kind = "express_" if assumed.storage == "express" else ""
        free = 0.0 if assumed.storage == "none" else 1.0
        kept_gb = put_gb * HOUR_S * assumed.retention_h / _MONTH_H * usd[f"{kind}stored_gb_month"]
        moved = (put_gb + get_gb) * usd["transfer_gb"]
        if kind:
            moved += put_gb * usd["express_put_gb"] + get_gb * usd["express_get_gb"]
        return [
            ("writing objects", f"{puts:.3g} PUT", free * puts * usd[f"{kind}put"] * HOUR_S, 0.0),
            ("reading objects", f"{gets:.3g} GET", free * gets * usd[f"{kind}get"] * HOUR_S, 0.0),
            (
                "bytes stored and moved",
                f"{put_gb * GB / 1e6:.3g} MB in, {get_gb * GB / 1e6:.3g} MB out",
                free * (kept_gb + moved * HOUR_S),
                0.0,
            ),
        ]

    def handling(self) -> list[tuple[str, str, float, float]]:
        """What services cost because frames are not where they are needed."""
        calls = self._sum("invocations")
        call_price = self._usd["function_call"] if self._assumed.compute == "functions" else 0.0
        waits = [(self._wait_s(service) * count, self._gb(service)) for service, count in self._used]
        per_gb_s = self._gb_s if self._assumed.compute == "functions" else 0.0
        packing = self.compute(("pack", "unpack"), 1.0)
        moving = self.compute(("store", "fetch", "delete", "rest"), 1.0)
        return [
            ("calls of services", f"{calls:.3g} calls", calls * call_price * HOUR_S, 0.0),
            (
                "waiting for requests",
                f"{sum(wait_s for wait_s, _ in waits):.3g} s",
                sum(wait_s * gb for wait_s, gb in waits) * per_gb_s * HOUR_S,
                0.0,
            ),
            ("packing and unpacking frames", *packing, 0.0),
            ("requests and payloads, CPU", *moving, 0.0),
        ]

    def compute(self, parts: Sequence[str], factor: float) -> tuple[str, float]:
        """CPU time of some parts of all services, and its price."""
        cpu_s = price = 0.0
        for service, count in self._used:
            part_s = factor * count * sum(service.parts.get(part, 0.0) for part in parts)
            cpu_s += part_s
            price += part_s * self._cpu_s_price(service)
        return f"{cpu_s:.3g} CPU s", price * HOUR_S

    def slowest(self) -> tuple[str, float]:
        """The service that takes longest for a chunk, and how long, as a share of the chunk."""
        busy = {service.name: self._busy(service) for service, _ in self._used}
        name = max(busy, key=lambda one: busy[one])
        return name, busy[name]

    def _busy(self, service: ServiceUse) -> float:
        assumed = self._assumed
        work_s = sum(service.parts.get(part, 0.0) for part in _WORK)
        cpu_s = sum(service.parts.values()) + (assumed.work_factor - 1.0) * work_s
        if assumed.compute == "functions":
            return cpu_s / assumed.function_speed / min(1.0, self._gb(service) / VCPU_GB) + self._wait_s(service)
        return cpu_s / assumed.machine_speed + self._wait_s(service)

    @property
    def _gb_s(self) -> float:
        return self._usd["function_gb_s"] * (1.0 - self._assumed.function_discount)

    def _gb(self, service: ServiceUse) -> float:
        return self._assumed.converter_gb if service.role == "converter" else self._assumed.detector_gb

    def _cpu_s_price(self, service: ServiceUse) -> float:
        usd, assumed = self._usd, self._assumed
        if assumed.compute == "functions":
            # With less memory than one vCPU's a function takes longer in proportion: the same GB-seconds.
            return max(self._gb(service), VCPU_GB) * self._gb_s / assumed.function_speed
        if assumed.compute == "containers":
            price_h = usd["container_vcpu_h"] + assumed.container_gb * usd["container_gb_h"]
            return price_h * (1.0 - assumed.machine_discount) / HOUR_S / assumed.machine_speed / assumed.utilisation
        return self.machine_cpu_s

    def _wait_s(self, service: ServiceUse) -> float:
        wait_ms = self._assumed.request_wait_ms
        return service.wait_s if wait_ms is None else service.waits * wait_ms / 1000.0

    def _sum(self, quantity: str) -> float:
        return float(sum(count * getattr(service, quantity) for service, count in self._used))


def formula(
    usd: Mapping[str, float],
    *,
    frames: float,
    detectors: float,
    transitions: float,
    detector_gb_s: float,
    converter_gb_s: float,
) -> float:
    """The distributed design on the back of an envelope, USD per stream-hour.

    One PUT per frame, one GET per frame and detector; no sound, no collector, no frame twice, no waiting. What `costs`
    comes to when it is given just that.

    Args:
        usd: Prices by name.
        frames: Stored per second.
        detectors: How many.
        transitions: Per second.
        detector_gb_s: GB-seconds of a detector's function per second of stream.
        converter_gb_s: The same of the converter's.
    """
    per_s = usd["put"] * frames + usd["get"] * frames * detectors + usd["transition"] * transitions
    per_s += detectors * (detector_gb_s * usd["function_gb_s"] + usd["function_call"])
    return (per_s + converter_gb_s * usd["function_gb_s"]) * HOUR_S
