"""The A/V offset for the report: one answer of all ways, each way's own beside it, and how it went over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gpu_qa.series import SYNC_STALE_S, SYNC_SURE, SYNC_WAYS, Curve
from gpu_qa.sinks.curves import Bins

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.series import DelayEvidence, LagEvidence, SyncSeries

SURE_DRIFT_PPM = 20.0
"""A drift by marker or against the reference that is less certain is not told as the stream's, standard deviation: of
half a minute of a copy of the same rate it is 7, of another rate hundreds; ours."""


class SyncRecorder:
    """Keeps what each way answered last, in memory that does not grow with the stream."""

    def __init__(self) -> None:
        self._last: dict[str, dict[str, Any]] = {}
        self._unheeded: set[str] = set()
        """Ways whose last answer is no answer to anything."""
        self._sure: dict[str, dict[str, Any]] = {}
        """Last answer of each way that was sure and heeded."""
        self._bins = Bins(1)
        self._lags: LagEvidence | None = None
        self._delays: DelayEvidence | None = None
        self._until_s = 0.0
        self._jump_s = -np.inf

    def reached(self, until_s: float, jumps_s: Sequence[float] = ()) -> None:
        """The stream has come so far.

        Args:
            until_s: Seconds on its clock.
            jumps_s: Where its timestamps jumped: what content knew before is of another programme.
        """
        self._until_s = max(self._until_s, until_s)
        self._jump_s = max([self._jump_s, *jumps_s])

    def add(self, series: SyncSeries, *, is_heeded: bool = True) -> None:
        """Take the next answers of a way; one that content does not give says nothing.

        Args:
            series: The answers.
            is_heeded: False of those that are kept for what they are worth and neither drawn nor chosen: of content
                near a marker signal.
        """
        if not len(series) or not np.isfinite(series.offset_s).any():
            return
        if is_heeded:
            self._unheeded.discard(series.way)
        else:
            self._unheeded.add(series.way)
        self._lags = series.lags or self._lags
        self._delays = series.delays or self._delays
        before = self._last.get(series.way)
        self._last[series.way] = {
            "track": series.track,
            "offset_s": _rounded(series.offset_s[-1], 4),
            "sigma_s": _rounded(series.sigma_s[-1], 4),
            "confidence": _rounded(series.confidence[-1], 3),
            "until_s": _rounded(series.end_s[-1], 3),
            "answers": len(series) + (before["answers"] if before else 0),
        }
        if series.way == "content":
            self._last[series.way]["heeded"] = is_heeded
            if not is_heeded:
                self._last[series.way]["reason"] = "a marker signal is near, of which content is sure of what is wrong"
        if is_heeded and _is_sure(self._last[series.way]):
            self._sure[series.way] = self._last[series.way]
        sure = (series.confidence >= SYNC_SURE) & np.isfinite(series.offset_s)
        if is_heeded and sure.any():
            at_s = np.repeat(series.end_s[sure], 2)
            spread = np.stack([series.offset_s - series.sigma_s, series.offset_s + series.sigma_s], -1)[sure]
            self._bins.add(at_s, (spread.ravel() * 1000).astype(np.float32)[None])

    @property
    def lags(self) -> LagEvidence | None:
        """What the last answer by content was chosen from; null where that is not heeded, or is known no more."""
        last = self._last.get("content")
        return None if last is None or "content" in self._unheeded or self._gone("content", last) else self._lags

    @property
    def delays(self) -> DelayEvidence | None:
        """What the last answer by reference was chosen from; null where there is none, or it is known no more."""
        last = self._last.get("reference")
        return None if last is None or self._gone("reference", last) else self._delays

    def curves(self) -> tuple[Curve, ...]:
        """`av_offset`: sure answers, from one standard deviation below to one above; none where there are none."""
        start_s, low, high = self._bins.measure(0)
        if not len(start_s):
            return ()
        return (Curve("av_offset", "Sound ahead of picture", "ms", start_s, low, high),)

    def measurements(
        self,
        reason: str | None = None,
        *,
        markers: Sequence[Any] = (),
        reference: dict[str, Any] | None = None,
        too_little: str | None = None,
    ) -> dict[str, Any]:
        """`av_offset_s`, `av_drift_ppm` and what belongs to them, JSON values.

        Args:
            reason: Why nothing could be measured, where that is known.
            markers: What a marker signal says of each audio track: objects with `track`, `latest_s`, `drift_ppm` and
                `drift_sigma_ppm`.
            reference: What is known beside the answers by reference, or instead of them; null where there is none.
            too_little: Why content has too little to judge by; null where it has enough.
        """
        last = dict(self._last)
        # A single pair is off by up to a frame.
        for one in markers:
            if one.latest_s is not None and last.get("marker", {}).get("track") == one.track:
                last["marker"] = last["marker"] | {"offset_s": _rounded(one.latest_s, 4)}
        if reference is not None:
            last["reference"] = last.get("reference", {}) | reference
        ways = {way: last[way] for way in SYNC_WAYS if way in last}
        heeded = [way for way in ways if way not in self._unheeded]
        sure = [way for way in heeded if _is_sure(ways[way])]
        newest_s = max((ways[way]["until_s"] for way in sure), default=0.0)
        chosen = next((way for way in sure if newest_s - ways[way]["until_s"] <= SYNC_STALE_S), None)
        gone = self._gone(chosen, ways[chosen]) if chosen else None
        if gone is not None:
            chosen, reason = None, reason or gone
            heeded = [way for way in heeded if not self._gone(way, ways[way])]
        measured: dict[str, Any] = {
            "av_offset_s": ways[chosen]["offset_s"] if chosen else None,
            "av_offset_confidence": max((ways[way]["confidence"] or 0.0 for way in heeded), default=None),
            "av_offset_method": chosen,
            "av_offset_ways": ways,
        }
        drifts = [*((one.drift_ppm, one.drift_sigma_ppm) for one in markers), _reference_drift(reference)]
        drift_ppm = next((ppm for ppm, sigma in drifts if sigma is not None and sigma <= SURE_DRIFT_PPM), None)
        measured["av_drift_ppm"] = None if drift_ppm is None else round(drift_ppm, 1)
        if drift_ppm is None:
            measured["av_drift_ppm_reason"] = (
                "only a marker signal of a minute or more, or a reference, says how the offset drifts; "
                "what drifts by content is told as av.drift"
            )
            if any(ppm is not None for ppm, _ in drifts):
                measured["av_drift_ppm_reason"] = f"what is known of it is less certain than {SURE_DRIFT_PPM:g} ppm"
        if chosen:
            measured["av_offset_confidence"] = ways[chosen]["confidence"]
        else:
            measured["av_offset_s_reason"] = reason or self._reason(ways, too_little)
        return measured

    def _gone(self, way: str, answer: dict[str, Any]) -> str | None:
        """Why a way's last answer is none any more; null where it still is."""
        at_s = answer.get("until_s")
        if at_s is None:
            return None
        if way == "content" and at_s <= self._jump_s:
            return f"nothing has been heard since the clock jumped at {self._jump_s:.1f} s: {_last_known(way, answer)}"
        if self._until_s > at_s + SYNC_STALE_S:
            return f"nothing has been heard of it for {self._until_s - at_s:.0f} s: {_last_known(way, answer)}"
        return None

    def _reason(self, ways: dict[str, dict[str, Any]], too_little: str | None) -> str:
        """Why no way is sure."""
        reasons: list[str] = []
        for way, answer in ways.items():
            if way in self._unheeded:
                reasons.append("flashes and beeps come so evenly that they fit at more than one distance")
            elif way == "content" and too_little is not None:
                continue
            elif answer.get("offset_s") is None:
                reasons += [f"by {way}: {answer['reason']}"] if answer.get("reason") else []
            elif not _is_sure(answer):
                reasons.append(f"by {way}: not sure enough, {answer['confidence'] or 0:.2f} of {SYNC_SURE:.2f}")
        if too_little is not None and "content" not in self._unheeded:
            reasons.append(f"by content: {too_little}" if reasons else too_little)
        known = max(self._sure.items(), key=lambda one: float(one[1]["until_s"]), default=None)
        if known is not None:
            reasons.append(_last_known(*known))
        return "; ".join(reasons) or "nothing of it has come that can be judged"


def _last_known(way: str, answer: dict[str, Any]) -> str:
    return f"last known at {answer['until_s']:.1f} s, {answer['offset_s'] * 1000:+.0f} ms by {way}"


def _reference_drift(reference: dict[str, Any] | None) -> tuple[float | None, float | None]:
    """Drift and its standard deviation, millionths."""
    known = reference or {}
    return known.get("drift_ppm"), known.get("drift_sigma_ppm")


def _is_sure(answer: dict[str, Any]) -> bool:
    return answer["offset_s"] is not None and (answer["confidence"] or 0.0) >= SYNC_SURE


def _rounded(value: Any, digits: int) -> float | None:
    return round(float(value), digits) if np.isfinite(value) else None
