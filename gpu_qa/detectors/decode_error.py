"""Decode error: packets are lost or damaged, so that what is decoded is not what was sent.

Damage seen in transport (a continuity counter that skips, a read that fails) and damage seen by the decoder are told
as one: they are the same loss seen twice, and `cause` says whether the transport has seen it too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gpu_qa.detectors.fact_steps import FactCarry, JudgedFact, fact_evidence
from gpu_qa.series import Detector, EventTiming

if TYPE_CHECKING:
    from gpu_qa.series import Evidence, StreamFact, StreamSeries


@dataclass(frozen=True, slots=True)
class DecodeErrorLimits:
    """When damage is a defect."""

    errors: int = 1
    """Told from this many errors on that follow one another within `together_s`."""
    together_s: float = 1.0
    """Errors that are no further apart count as one piece of damage; ours: about what a lost packet shows until the
    next key frame."""

    def __post_init__(self) -> None:
        if self.errors < 1 or not self.together_s >= 0:
            raise ValueError("errors must be 1 or more and together_s 0 or more")


@dataclass(frozen=True, slots=True)
class _Count:
    """Errors of one track that follow one another."""

    last_s: float
    decode: int = 0
    transport: int = 0


@dataclass(frozen=True, slots=True)
class DecodeErrorCarry:
    """What the judgement of an error needs of those before it."""

    counts: dict[str, _Count] = field(default_factory=dict)
    steps: FactCarry | None = None


def decode_error(
    series: StreamSeries, limits: DecodeErrorLimits = DecodeErrorLimits(), carry: DecodeErrorCarry | None = None
) -> tuple[list[Evidence], DecodeErrorCarry]:
    """Weigh the damage that decoder and transport have seen.

    Args:
        series: The facts of a stretch of stream.
        limits: When damage is a defect.
        carry: From the series before; null at the start of a stream.

    Returns:
        Evidence for `video` and `audio`, whose value is the number of errors that followed one another so far, and
        the carry.
    """
    counts = dict(carry.counts) if carry is not None else {}
    judged = []
    for fact in series.facts:
        if fact.kind not in ("decode_error", "transport_error"):
            continue
        count = counts[fact.track] = _counted(counts.get(fact.track), fact, limits)
        errors = count.decode + count.transport
        if errors >= limits.errors:
            judged.append(_judged(fact, count))
    evidence, steps = fact_evidence(
        series,
        judged,
        carry.steps if carry is not None else None,
        kind="stream.decode_error",
        limit=limits.errors,
        unit="errors",
        details=("cause", "decode_errors", "transport_errors", "before_first_key", "text"),
        message="{track} damaged, errors: {value:.0f} ({cause}), last: {text}",
    )
    return evidence, DecodeErrorCarry(counts, steps)


def _counted(count: _Count | None, fact: StreamFact, limits: DecodeErrorLimits) -> _Count:
    if count is None or fact.start_s - count.last_s > limits.together_s:
        count = _Count(fact.end_s)
    is_transport = _is_transport(fact)
    return _Count(max(count.last_s, fact.end_s), count.decode + (not is_transport), count.transport + is_transport)


def _is_transport(fact: StreamFact) -> bool:
    """Whether the loss was on the way: the transport says so, or the decoder got a packet marked as damaged."""
    return fact.kind == "transport_error" or fact.details.get("cause") == "transport"


def _judged(fact: StreamFact, count: _Count) -> JudgedFact:
    before_first_key = bool(fact.details.get("before_first_key", False))
    details = {
        "cause": "transport" if count.transport else "decode",
        "decode_errors": count.decode,
        "transport_errors": count.transport,
        "before_first_key": before_first_key,
        "text": fact.message,
    }
    # Whoever tunes in between two key frames gets pictures without their reference: that is no fault of the stream.
    return JudgedFact(fact, count.decode + count.transport, details, "info" if before_first_key else "critical")


DECODE_ERROR = Detector(
    name="decode_error",
    kinds=("stream.decode_error",),
    consumes="stream",
    weigh=decode_error,
    limits=DecodeErrorLimits(),
    timing=EventTiming(raise_after_s=0.0, clear_after_s=1.0, major_after_s=5.0, critical_after_s=15.0),
    summary="Packets are lost or damaged: blocks, smears, clicks, or nothing at all.",
    source="ours: every error (ETSI TR 101 290 1.4 continuity, 2.1 transport)",
)
