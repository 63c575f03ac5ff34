"""What if: the same measurements under other assumptions. They show where the saving comes from, and where it ends."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.object_store.converter import ConverterSettings
from benchmarks.object_store.costs import VCPU_GB, Assumptions, Costs, costs
from benchmarks.object_store.measure import Layout
from benchmarks.object_store.usage import Case

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.object_store.usage import Measured

SPARSE, EVERY, RAW, LONG = "sparse", "every", "raw", "long"
"""Runs: a frame per second, every frame, every frame without loss, and a frame per second in chunks of 10 s."""
_LONG_S = 10.0


class What(NamedTuple):
    """A case: which run, and what differs."""

    name: str
    run: str
    changes: dict[str, Any]
    prices: dict[str, float]


def layouts(frames_per_s: float, quality: int) -> dict[str, Layout]:
    """The runs that are measured, by name."""
    sparse = ConverterSettings(frames_per_s=frames_per_s, quality=quality)
    return {
        SPARSE: Layout(SPARSE, sparse),
        EVERY: Layout(EVERY, replace(sparse, frames_per_s=0.0)),
        RAW: Layout(RAW, replace(sparse, frames_per_s=0.0, encoding="raw")),
        LONG: Layout(LONG, replace(sparse, chunk_s=_LONG_S, bundled=True)),
    }


def own_changes(run: str) -> dict[str, Any]:
    """What a run needs before anything else is changed: a whole vCPU for detectors that unpack every frame."""
    return {"detector_gb": VCPU_GB} if run in (EVERY, RAW) else {}


def what_ifs(detectors: tuple[str, ...]) -> list[What]:
    """All cases; the first is the default."""
    cheap = {"storage": "express", "workflow": "express"}
    return [
        What("the default", SPARSE, {}, {}),
        What("every frame, as JPEG", EVERY, {}, {}),
        What("every frame, without loss", RAW, {}, {}),
        What("3 transitions per second", SPARSE, {"transitions_per_s": 3.0}, {}),
        What("1 transition per second", SPARSE, {"transitions_per_s": 1.0}, {}),
        What("one detector", SPARSE, {"only_detectors": detectors[:1]}, {}),
        What("seven detectors more", SPARSE, {"more_detectors": 7}, {}),
        What("measuring and judging 10 times as heavy", SPARSE, {"work_factor": 10.0}, {}),
        What("the same, every frame", EVERY, {"work_factor": 10.0}, {}),
        What("requests take 30 ms", SPARSE, {"request_wait_ms": 30.0}, {}),
        What("Express workflows", SPARSE, {"workflow": "express"}, {}),
        What("S3 Express One Zone", SPARSE, {"storage": "express"}, {}),
        What("both", SPARSE, cheap, {}),
        What("both, every frame", EVERY, cheap, {}),
        What("chunks of 10 s", LONG, {}, {}),
        What("chunks of 10 s, both", LONG, cheap, {}),
        What("orchestration for nothing", SPARSE, {"workflow": "none"}, {}),
        What("orchestration for nothing, every frame", EVERY, {"workflow": "none"}, {}),
        What("orchestration and storage for nothing", SPARSE, {"workflow": "none", "storage": "none"}, {}),
        What("functions 17 % off", SPARSE, {"function_discount": 0.17}, {}),
        What("containers for functions", SPARSE, {"compute": "containers"}, {}),
        What("containers, own orchestration", SPARSE, {"compute": "containers", "workflow": "none"}, {}),
        What("the same machines, own orchestration", SPARSE, {"compute": "machine", "workflow": "none"}, {}),
        What("the same, every frame", EVERY, {"compute": "machine", "workflow": "none"}, {}),
        What(
            "the same machines, nothing for requests",
            SPARSE,
            {"compute": "machine", "workflow": "none", "storage": "none"},
            {},
        ),
        What("machines used at 20 %", SPARSE, {"utilisation": 0.2}, {}),
        What("machines at spot prices, 60 % off", SPARSE, {"machine_discount": 0.6}, {}),
        What("chunks of 10 s, both, machines used at 20 %", LONG, {**cheap, "utilisation": 0.2}, {}),
    ]


def weighed(measured: Measured, usd: Mapping[str, float], assumed: Assumptions) -> tuple[Case, ...]:
    """Every case whose run was measured."""
    runs = {run.name for run in measured.runs}
    return tuple(
        _case(what, cost_of(measured, usd, assumed, what)) for what in what_ifs(measured.detectors) if what.run in runs
    )


def cost_of(measured: Measured, usd: Mapping[str, float], assumed: Assumptions, what: What) -> Costs:
    """What one case costs."""
    run = next(run for run in measured.runs if run.name == what.run)
    chosen = replace(assumed, **(own_changes(what.run) | what.changes))
    return costs(run, measured.one_process, {**usd, **what.prices}, chosen)


def _case(what: What, found: Costs) -> Case:
    changed = own_changes(what.run) | what.changes | what.prices
    return Case(
        name=what.name,
        run=what.run,
        changed={name: shown(value) for name, value in changed.items()},
        distributed=round(found.distributed, 6),
        one_process=round(found.one_process, 6),
        saving=round(found.saving, 4),
        slowest=found.slowest,
        busy=round(found.busy, 4),
    )


def assumptions_text(assumed: Assumptions) -> dict[str, str]:
    """All assumptions as they would be given on the command line."""
    return {field.name: shown(getattr(assumed, field.name)) for field in fields(assumed)}


def shown(value: Any) -> str:
    """A value as one would type it."""
    if value is None:
        return "as measured"
    if isinstance(value, tuple):
        return ",".join(value) or "all"
    return f"{value:g}" if isinstance(value, float) else str(value)
