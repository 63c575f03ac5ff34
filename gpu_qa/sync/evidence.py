"""What windows say of the A/V offset, summed: the answer, how sure it is, and where it steps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from gpu_qa_kernels.sync_net import LAG_S, LAGS

LAGS_S = (np.arange(LAGS) - LAGS // 2) * LAG_S
"""float64 [101]: the offsets that are tried."""
HALF_LIFE_S = 60.0
"""Evidence of so much material ago counts half: an offset that changes slowly is followed."""
APART_S = 0.12
"""A rival answer is farther away than this."""
RISE_SHARE = 1.5
"""Share of the peak's rise above the mean of all lags farther away that counts beside its lead over the best of them:
of 0.5 to 3 about what answers most of joined clips at the same rate of answers to other sound. Ours."""
GROWTH = 0.3
"""Power of the seconds by which lead and rise are divided. By chance alone they grow as the root of what they rest on;
but on little material, of one speaker, chance is wilder than on much: of 0 to 0.5 what keeps answers to other sound
about as rare after 8 s as after 60 s. Ours."""
CONFIDENCE = (1.0, -5.1)
"""Slope and offset of the logistic to confidence from lead and rise, log probability, over the seconds that they rest
on to the power of `GROWTH`: about 1 % of wrong sound is at 0.9 or above (docs/detectors/av_offset.md)."""
END_LAGS = 3
"""The likeliest of so few lags at either end is no answer: what lies beyond is not looked at, so nothing shows that it
is a peak."""
LEAST_S = 8.0
"""With less material than this confidence is less in proportion: one window may be as sure of what is wrong."""
ZERO_S = 0.0
"""What the net tells of material in sync."""
SOURCES_S = 0.04
"""Standard deviation of what sources in step are told to be, however much is heard of them: of their own offsets, some
35 ms, and of the zero point, some 20 ms (docs/detectors/av_offset.md)."""
STEP_LEAST_S, STEP_MOST_S = 28.0, 60.0
"""So much material must, and may, speak for a step by itself."""
STEP_APART_S = 0.1
"""A step is larger than this: sources of one programme differ by less, all but always."""
STEP_SURE = 0.98
"""So sure must be what speaks for a step, and what came before it. Many places are tried for a step: 0.98 takes one of
200 changes to wrong sound for one, and finds 2 % more than 0.99 (docs/detectors/av_offset.md)."""

NEWS_S, NEWS = 15.0, 2.5
"""A sure answer is news while the windows of so many seconds say together, in log probability, so much more for it
than chance would: nearly always where people talk, within 12 s no more where music or animation follows
(docs/detectors/av_offset.md). Ours."""
NEAR_S = 0.06
"""What windows say within so much of an answer is said for it."""


class Recent(NamedTuple):
    """A window of the last minute."""

    lags: np.ndarray
    """float64 [101]: log probability of each lag."""
    start_s: float
    """On the stream's clock."""
    length_s: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What all windows since the last step say together; older ones count less."""

    lags: np.ndarray
    """float64 [101]: log probability of each lag, summed."""
    length_s: float
    """Of the material that it rests on, each second as far as it still counts."""
    recent: tuple[Recent, ...] = ()
    """The windows of the last `STEP_MOST_S` of material, oldest first."""
    before_s: float = np.nan
    """The answer before the last step; NaN where there was none."""
    since_s: float = np.nan
    """Where the step lies that the last window made sure; NaN where it made none so."""


class Answer(NamedTuple):
    """What the evidence says."""

    offset_s: float
    sigma_s: float
    """Standard deviation: how wide the peak is, and how far sources in step are apart."""
    confidence: float
    """0…1, that the peak is the right one, within `APART_S`."""


def gathered(evidence: Evidence | None, fresh: np.ndarray, start_s: float, length_s: float) -> Evidence:
    """The evidence with that of one more window; that after a step alone, where the window makes one sure."""
    one = Recent(fresh, start_s, length_s)
    if evidence is None:
        return Evidence(fresh, length_s, (one,))
    kept = 0.5 ** (length_s / HALF_LIFE_S)
    recent = (*evidence.recent, one)
    while sum(window.length_s for window in recent) > STEP_MOST_S:
        recent = recent[1:]
    lags, counted_s = kept * evidence.lags + fresh, kept * evidence.length_s + length_s
    return _stepped(Evidence(lags, counted_s, recent, evidence.before_s))


def unchanged(evidence: Evidence) -> Evidence:
    """The evidence where a window adds nothing to it."""
    return replace(evidence, since_s=np.nan)


def is_news(evidence: Evidence, offset_s: float, end_s: float) -> bool:
    """Whether what was seen and heard lately speaks for the answer, or makes a step to it sure.

    Args:
        evidence: With that of the last window.
        offset_s: Its answer.
        end_s: Where the last window ends, on the stream's clock.
    """
    if np.isfinite(evidence.since_s):
        return True
    lately = [window.lags for window in evidence.recent if window.start_s >= end_s - NEWS_S]
    if not lately:
        return False
    near = np.abs(LAGS_S - ZERO_S - offset_s) <= NEAR_S
    return float(np.log(LAGS * np.exp(np.array(lately)[:, near]).mean(1)).sum()) >= NEWS


def _stepped(evidence: Evidence) -> Evidence:
    """What came since a step, where it and what is older are each sure, of offsets that are far apart.

    Of several such parts that one which makes both together likeliest, each by an offset of its own. The step lies
    where that is so among all parts, however short.
    """
    newest_first = evidence.recent[::-1]
    lengths = np.array([window.length_s for window in newest_first])
    material_s = np.cumsum(lengths)
    counts = 0.5 ** ((material_s - lengths) / HALF_LIFE_S)
    since = np.cumsum(counts[:, None] * np.array([window.lags for window in newest_first]), 0)
    until = evidence.lags - since
    counted_s = np.cumsum(counts * lengths)
    older_s = evidence.length_s - counted_s
    moved_s = np.abs(LAGS_S[since.argmax(1)] - LAGS_S[until.argmax(1)])
    may = (material_s >= STEP_LEAST_S) & (older_s >= LEAST_S / 2) & (moved_s > STEP_APART_S - LAG_S)
    likely = since.max(1) + until.max(1)
    for last in sorted(np.flatnonzero(may).tolist(), key=lambda one: -float(likely[one])):
        now = answer_of(Evidence(since[last], float(counted_s[last])))
        if now.confidence < STEP_SURE:
            continue
        # What it said then, when it had not faded.
        faded = 0.5 ** (material_s[last] / HALF_LIFE_S)
        before = answer_of(Evidence(until[last] / faded, float(older_s[last] / faded)))
        if before.confidence >= STEP_SURE and abs(now.offset_s - before.offset_s) > STEP_APART_S:
            kept = evidence.recent[len(evidence.recent) - 1 - last :]
            since_s = newest_first[int(likely.argmax())].start_s
            return Evidence(since[last], float(counted_s[last]), kept, before.offset_s, since_s)
    return evidence


def answer_of(evidence: Evidence) -> Answer:
    """The most likely lag, between lags."""
    lags = evidence.lags
    top = int(np.argmax(lags))
    far = np.abs(LAGS_S - LAGS_S[top]) > APART_S
    lead, rise = float(lags[top] - lags[far].max()), float(lags[top] - lags[far].mean())
    score = (lead + RISE_SHARE * rise) / evidence.length_s**GROWTH
    offset_s = float(LAGS_S[top])
    if 0 < top < LAGS - 1:
        before, here, after = lags[top - 1 : top + 2]
        bend = before - 2 * here + after
        if bend < 0:
            offset_s += LAG_S * float(np.clip((before - after) / (2 * bend), -0.5, 0.5))
    near = np.exp(lags - lags[top]) * ~far
    near /= near.sum()
    mean = float((near * LAGS_S).sum())
    sigma_s = float(np.sqrt((near * (LAGS_S - mean) ** 2).sum() + (LAG_S / 4) ** 2 + SOURCES_S**2))
    slope, at_none = CONFIDENCE
    is_peak = END_LAGS <= top < LAGS - END_LAGS
    sure = float(is_peak / (1 + np.exp(-(slope * score + at_none))))
    return Answer(offset_s - ZERO_S, sigma_s, sure * min(1.0, evidence.length_s / LEAST_S))
