"""From measurements to dollars: every number here can be worked out by hand."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from benchmarks.object_store import cases, view
from benchmarks.object_store.costs import HOUR_S, VCPU_GB, Assumptions, costs, formula
from benchmarks.object_store.prices import price_table, prices
from benchmarks.object_store.usage import Agreement, Measured, OneProcessUse, Role, RunUse, ServiceUse
from benchmarks.result import Spread

USD = prices("c7i.xlarge", {})
DETECTORS = ("freeze", "black", "solid_color")
VCPU_S = 0.1785 / 4 / 3600


def service(name: str, role: Role, **changes: Any) -> ServiceUse:
    known: dict[str, Any] = {
        "name": name,
        "role": role,
        "invocations": 1.0,
        "cpu_s": Spread.of([0.0]),
        "parts": {},
        "wait_s": 0.0,
        "waits": 0.0,
        "puts": 0.0,
        "gets": 0.0,
        "deletes": 0.0,
        "put_bytes": 0.0,
        "get_bytes": 0.0,
        "peak_mb": 100.0,
    }
    return ServiceUse(**(known | changes))


def run(services: tuple[ServiceUse, ...], **changes: Any) -> RunUse:
    known: dict[str, Any] = {
        "name": cases.SPARSE,
        "frames_per_s": 1.0,
        "encoding": "jpeg",
        "chunk_s": 1.0,
        "bundled": False,
        "connections": 1,
        "transitions": 3.0,
        "executions": 1.0,
        "payload_bytes": 100,
        "latency_s": Spread.of([0.25]),
        "store_cpu_s": Spread.of([0.1]),
        "services": services,
        "events": (),
        "agreement": Agreement(True, 0, (), (), 0.0),
    }
    return RunUse(**(known | changes))


def one_process(cpu_s: float = 0.2, frames_per_s: float = 25.0) -> OneProcessUse:
    return OneProcessUse(frames_per_s, Spread.of([cpu_s]), Spread.of([cpu_s]), 100.0, ())


def envelope(cpu_s: float = 0.1, decode_s: float = 0.15) -> RunUse:
    """One PUT per frame, one GET per frame and detector, nothing else."""
    return run(
        (
            service("converter", "converter", parts={"decode": decode_s}, puts=1.0, invocations=0.0),
            *(service(name, "detector", parts={"measure": cpu_s}, gets=1.0) for name in DETECTORS),
        )
    )


def test_the_published_design_on_the_back_of_an_envelope() -> None:
    # 0.018 storing, 0.00432 reading, 0.27 orchestration, 3 · 0.030726 detectors, 0.060012 the converter.
    found = formula(USD, frames=1, detectors=3, transitions=3, detector_gb_s=0.5, converter_gb_s=1)
    assert found == pytest.approx(0.018 + 0.00432 + 0.27 + 3 * 0.030726 + 0.060012)
    assert found == pytest.approx(0.445, abs=0.001)


def test_costs_come_to_the_envelope_when_given_just_that() -> None:
    found = costs(envelope(), one_process(), USD)
    wanted = formula(
        USD,
        frames=1,
        detectors=3,
        transitions=3,
        detector_gb_s=0.1 * VCPU_GB,
        converter_gb_s=0.15 * VCPU_GB,
    )
    assert found.distributed == pytest.approx(wanted)
    # 0.2 CPU seconds on a quarter of a machine of four that is used at 70 %.
    assert found.one_process == pytest.approx(0.2 * VCPU_S / 0.7 * HOUR_S)
    assert found.one_process == pytest.approx(0.01275)
    assert found.saving == pytest.approx(1 - 0.01275 / wanted)


def test_shares_are_all_of_it() -> None:
    found = costs(envelope(), one_process(), USD)
    assert sum(share.distributed for share in found.shares) == pytest.approx(found.distributed)
    assert sum(share.one_process for share in found.shares) == pytest.approx(found.one_process)
    assert sum(share.of_saving for share in found.shares) == pytest.approx(1.0)
    by_name = {share.name: share for share in found.shares}
    assert by_name["orchestration"].distributed == pytest.approx(0.27)
    assert by_name["orchestration"].one_process == 0.0
    # Decoding in one process is taken to cost what it costs the converter.
    assert by_name["decoding the stream"].one_process == pytest.approx(0.15 * VCPU_S / 0.7 * HOUR_S)
    assert by_name["measuring and judging"].one_process == pytest.approx(0.05 * VCPU_S / 0.7 * HOUR_S)


def dollars(run: RunUse | None = None, usd: dict[str, float] | None = None, **assumed: Any) -> float:
    return costs(run or envelope(), one_process(), {**USD, **(usd or {})}, Assumptions(**assumed)).distributed


BASE = dollars()
GB_S = 1.667e-5


@pytest.mark.parametrize(
    ("assumed", "more"),
    [
        ({"transitions_per_s": 1.0}, -2 * 2.5e-5),
        ({"workflow": "none"}, -3 * 2.5e-5),
        # 0.25 s are billed as 0.3 s, the memory as 64 MB.
        ({"workflow": "express"}, -3 * 2.5e-5 + 1e-6 + 0.3 * 0.0625 * GB_S),
        ({"storage": "none"}, -5e-6 - 3 * 4e-7),
        ({"storage": "express"}, -5e-6 - 3 * 4e-7 + 1.13e-6 + 3 * 3e-8),
        ({"function_discount": 0.5}, -0.5 * 0.45 * VCPU_GB * GB_S),
        ({"function_speed": 2.0}, -0.5 * 0.45 * VCPU_GB * GB_S),
        # Less memory than a vCPU's takes longer in proportion; more is paid for in vain.
        ({"detector_gb": 0.25}, 0.0),
        ({"detector_gb": 2 * VCPU_GB}, 0.3 * VCPU_GB * GB_S),
        ({"converter_gb": 2 * VCPU_GB}, 0.15 * VCPU_GB * GB_S),
        ({"compute": "machine"}, -0.45 * VCPU_GB * GB_S - 3 * 2e-7 + 0.45 * VCPU_S / 0.7),
        (
            {"compute": "containers"},
            -0.45 * VCPU_GB * GB_S - 3 * 2e-7 + 0.45 * (0.04048 + 2 * 0.004445) / 3600 / 0.7,
        ),
        ({"only_detectors": DETECTORS[:2]}, -2.5e-5 - 4e-7 - 2e-7 - 0.1 * VCPU_GB * GB_S),
        ({"more_detectors": 2}, 2 * (2.5e-5 + 4e-7 + 2e-7 + 0.1 * VCPU_GB * GB_S)),
        ({"work_factor": 3.0}, 2 * 0.3 * VCPU_GB * GB_S),
    ],
)
def test_each_assumption_changes_what_it_says(assumed: dict[str, Any], more: float) -> None:
    assert dollars(**assumed) - BASE == pytest.approx(more * HOUR_S, abs=1e-12)


def test_waiting_is_paid_by_memory() -> None:
    waiting = run((service("freeze", "detector", wait_s=0.2, waits=3.0, parts={"fetch": 0.0}),), transitions=0.0)
    call = 2e-7 * HOUR_S
    assert dollars(waiting) - call == pytest.approx(0.2 * 0.5 * GB_S * HOUR_S)
    assert dollars(waiting, request_wait_ms=10.0) - call == pytest.approx(0.03 * 0.5 * GB_S * HOUR_S)
    assert dollars(waiting, compute="machine") == 0.0


def test_bytes_cost_where_they_are_charged_for() -> None:
    heavy = run((service("freeze", "detector", put_bytes=2.0**30, get_bytes=2.0**31),), transitions=0.0)
    call = 2e-7 * HOUR_S
    assert dollars(heavy) == pytest.approx(call)
    assert dollars(heavy, retention_h=24.0) - call == pytest.approx(3600 * 24 / 730 * 0.023)
    assert dollars(heavy, {"transfer_gb": 0.01}) - call == pytest.approx(3 * 0.01 * HOUR_S)
    assert dollars(heavy, storage="express") - call == pytest.approx((0.0032 + 2 * 0.0006) * HOUR_S)


def test_the_one_process_pays_for_its_machine() -> None:
    def here(**assumed: Any) -> float:
        return costs(envelope(), one_process(), USD, Assumptions(**assumed)).one_process

    assert here(utilisation=0.35) == pytest.approx(2 * here())
    assert here(machine_discount=0.6) == pytest.approx(0.4 * here())
    assert here(machine_speed=2.0) == pytest.approx(here() / 2)
    # All that is not decoding, 0.05 of 0.2 CPU seconds, becomes three times as much.
    assert here(work_factor=3.0) == pytest.approx(1.5 * here())


def test_a_saving_may_be_a_loss() -> None:
    found = costs(envelope(), one_process(10.0), USD, Assumptions(compute="machine", workflow="none"))
    assert found.saving < 0


def test_a_service_that_does_not_keep_up_shows() -> None:
    slow = run((service("freeze", "detector", parts={"unpack": 0.4}, wait_s=0.1),))
    assert costs(slow, one_process(), USD).busy == pytest.approx(0.4 * VCPU_GB / 0.5 + 0.1)
    fast = costs(slow, one_process(), USD, Assumptions(detector_gb=4.0))
    assert fast.slowest == "freeze"
    assert fast.busy == pytest.approx(0.5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"utilisation": 0.0},
        {"utilisation": 1.1},
        {"machine_discount": 1.0},
        {"function_discount": -0.1},
        {"detector_gb": 0.0},
        {"retention_h": -1.0},
        {"machine_speed": float("nan")},
    ],
)
def test_assumptions_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be"):
        Assumptions(**wrong)


def test_prices_say_where_they_are_from() -> None:
    for name, price in price_table().items():
        assert price.usd >= 0, name
        assert "amazon.com" in price.source, name
        assert price.date.startswith("20"), name
    assert prices("c7i.xlarge", {"put": 1.0})["put"] == 1.0
    with pytest.raises(ValueError, match="price 'nothing'"):
        prices("c7i.xlarge", {"nothing": 1.0})


def test_every_case_is_weighed() -> None:
    measured = Measured(
        "server",
        DETECTORS,
        1,
        tuple(dataclasses.replace(envelope(), name=name) for name in cases.layouts(1.0, 3)),
        one_process(),
    )
    found = cases.weighed(measured, USD, Assumptions())
    assert [case.name for case in found] == [what.name for what in cases.what_ifs(measured.detectors)]
    assert found[0].distributed == pytest.approx(BASE, abs=1e-6)
    assert len({case.distributed for case in found}) > 10
    only = dataclasses.replace(measured, runs=measured.runs[:1])
    assert {case.run for case in cases.weighed(only, USD, Assumptions())} == {cases.SPARSE}


def test_the_committed_result_follows_the_schema_and_is_on_the_page() -> None:
    document = view.load()
    text = view.PAGE.read_text(encoding="utf-8")
    assert view.filled(text, document) == text
    assert next(run for run in document.measured.runs if run.name == cases.RAW).agreement.identical
    # What the file says it costs is what its measurements cost.
    again = cases.weighed(document.measured, document.prices, Assumptions())
    assert [case.saving for case in again] == pytest.approx([case.saving for case in document.cases], abs=1e-4)
