"""Makes what was planned, measures it and lays it over, one row for each pair: a run that was broken off goes on."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from benchmarks.compare.material import reference_of
from benchmarks.compare.strips import digest_of_method, laid_over, reversed_in_time, strip_of
from benchmarks.compare.treatment import SHORT_FROM_S, copied, hard_copied
from benchmarks.result import read
from gpu_qa.agreement import problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from benchmarks.compare.material import Programme
    from benchmarks.compare.plan import Order
    from benchmarks.compare.strips import Laid

__all__ = ["Row", "coded_ones", "rows_of"]


@dataclass(frozen=True, slots=True)
class Row:
    """What is told of a pair."""

    name: str
    """Of the copy's file."""
    kind: str
    """`copy`, or how the probe is another programme."""
    way: str
    ways: tuple[str, ...]
    """What was done to it, singly."""
    lead: str
    clips: tuple[str, ...]
    """Of the probe."""
    reference_clips: tuple[str, ...]
    delay_s: float
    skew_s: float
    """As planted."""
    told_skew_s: float | None
    told_delay_s: float | None
    """Of the picture."""
    picture: str
    """Its verdict, or why there is none."""
    sound: str
    picture_matching: int
    """Stretches."""
    sound_matching: int
    problems: tuple[str, ...]
    stretches: int
    cpu_ms: float
    method: str
    """Digest of the code that laid it over."""

    @property
    def error_s(self) -> float | None:
        """Of the skew."""
        return None if self.told_skew_s is None else abs(self.told_skew_s - self.skew_s)

    @property
    def says_other(self) -> bool:
        """Whether picture or sound is called other content, all of it or some."""
        return any(part in ("differs", "partly") for part in (self.picture, self.sound))


def coded_ones(programmes: Sequence[Programme], work: Path) -> list[Programme]:
    """Those that can be coded at their own rate."""
    return [one for one in programmes if reference_of(one, one.rate, work) is not None]


def rows_of(planned: Sequence[Order], work: Path) -> Iterator[Row]:
    """All rows, in order; those that are in the work folder's file already are not made again.

    Args:
        planned: What to make.
        work: Holds what is made, and `rows.jsonl`.
    """
    kept, method = work / "rows.jsonl", digest_of_method()
    known: dict[tuple[str, ...], Row] = {}
    for line in kept.read_text().splitlines() if kept.exists() else []:
        key, row = json.loads(line)
        if row["method"] == method:
            known[tuple(key)] = read(Row, row)
    with kept.open("a") as out:
        for number, order in enumerate(planned, start=1):
            began_s = time.perf_counter()
            for index, (kind, programme) in enumerate(order.pairs):
                copy = _copy(order, work)
                reference = reference_of(programme, order.rate if kind == "copy" else programme.rate, work)
                if copy is None or reference is None:
                    print(f"{order.name}: {order.way} could not be coded", file=sys.stderr, flush=True)
                    break
                # Names of files that are made change with what is in them.
                key = kind, copy.name, reference.name
                row = known.get(key)
                if row is None:
                    row = _row(order, kind, programme, copy, reference)
                    out.write(json.dumps([key, asdict(row)]) + "\n")
                    out.flush()
                if index == 0:
                    what = f"{kind} {order.way} after {order.lead}: {_error(row)}, {row.picture}, {row.sound}"
                    seconds = time.perf_counter() - began_s
                    print(f"{number} of {len(planned)}, {seconds:.1f} s: {what}", file=sys.stderr, flush=True)
                yield row


def _error(row: Row) -> str:
    return "no skew" if row.error_s is None else f"{1000 * row.error_s:.2f} ms"


def _row(order: Order, kind: str, programme: Programme, copy: Path, reference: Path) -> Row:
    probe = strip_of(copy)
    laid = laid_over(strip_of(reference), reversed_in_time(probe) if kind == "reversed" else probe)
    return _said(order, kind, programme, copy, laid)


def _copy(order: Order, work: Path) -> Path | None:
    source = reference_of(order.programme, order.rate, work)
    other = reference_of(order.other, order.other.rate, work)
    if source is None or other is None:
        return None
    rate = float(Fraction(order.rate))
    if order.hard is not None:
        return hard_copied(source, other, order.hard, rate, order.delay_s, order.skew_s, work)
    return copied(source, other, order.treatment, order.lead, rate, order.delay_s, order.skew_s, work)


def _said(order: Order, kind: str, programme: Programme, copy: Path, laid: Laid) -> Row:
    summary = laid.compared.summary
    later_s = SHORT_FROM_S if (order.hard or "").startswith("short") else 0.0
    parts = None if summary is None else (summary.picture, summary.sound)
    verdicts = (
        ("nothing",) * 2
        if parts is None
        else tuple(one.verdict if one.verdict != "unknown" else f"unknown: {one.reason}" for one in parts)
    )
    return Row(
        name=copy.stem,
        kind=kind,
        way=order.way,
        ways=(order.hard,) if order.hard else order.treatment.ways,
        lead=order.lead,
        clips=tuple(sorted(order.programme.clips)),
        reference_clips=tuple(sorted(programme.clips)),
        delay_s=order.delay_s - later_s,
        skew_s=order.skew_s,
        told_skew_s=None if summary is None else summary.skew_s,
        told_delay_s=None if summary is None else summary.picture.delay_s,
        picture=verdicts[0],
        sound=verdicts[1],
        picture_matching=0 if parts is None else parts[0].matching,
        sound_matching=0 if parts is None else parts[1].matching,
        problems=tuple(problems(laid.compared)),
        stretches=len(laid.compared.stretches),
        cpu_ms=round(laid.cpu_ms, 1),
        method=digest_of_method(),
    )  # fmt: skip
