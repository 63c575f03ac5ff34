"""The A/V offset from what is seen and heard alone: evidence of a small net, summed over shots."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from gpu_qa.errors import ConfigError
from gpu_qa.series import LagEvidence, SyncSeries
from gpu_qa.sync.measures import net_picture, unpacked
from gpu_qa.sync.rows import RowCarry, add_rows, forget_rows, rows_between
from gpu_qa.sync.shots import Seen, ShotCarry, Window, cut_shots, end_shots
from gpu_qa_kernels.speech_bands import FLOOR
from gpu_qa_kernels.sync_net import AUDIO_MARGIN, FRAMES_PER_S, LAG_S, LAGS, RATIO, SHAPES, lag_scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.series import AudioSeries, VideoSeries

LAGS_S = (np.arange(LAGS) - LAGS // 2) * LAG_S
"""float64 [101]: the offsets that are tried."""
COOLING = 1.5
"""By how much the net is too sure of one window: its log probabilities are divided by it."""
DOUBT = 0.3
"""Share of a window's probability that is spread over all lags: no window outvotes the rest."""
HALF_LIFE_S = 60.0
"""Evidence of so much material ago counts half: an offset that changes is followed."""
APART_S = 0.12
"""A rival answer is farther away than this."""
RISE_SHARE = 1.0
"""Share of the peak's rise above the mean of all lags farther away that counts beside its lead over the best of them:
of 0.25 to 1 what answers most at the same rate of answers to other sound (docs/detectors/av_offset.md)."""
GROWTH = 0.35
"""Power of the seconds by which lead and rise are divided. By chance alone they grow as the root of what they rest on;
but on little material, of one speaker, chance is wilder than on much: of 0 to 0.5 what keeps answers to other sound
about as rare after 8 s as after 60 s (docs/detectors/av_offset.md)."""
CONFIDENCE = (2.1, -5.36)
"""Slope and offset of the logistic to confidence from lead and rise, log probability, over the seconds that they rest
on to the power of `GROWTH`."""
LEAST_S = 8.0
"""With less material than this confidence is less in proportion: one window may be as sure of what is wrong."""
ZERO_S = 0.0
"""What the net tells of material in sync."""
_STILL = 0.02
"""Mean log change of a window below which nothing moves."""
_QUIET = 0.05
"""Deviation of the bands, decades, below which nothing is said."""
_PRESENT = 0.6
"""Share of a window's own rows of sound that must be there."""
_LATE_ROWS = 1000
"""Rows by which sound may be behind the picture before windows go without it: 10 s."""


@dataclass(frozen=True, slots=True)
class ContentCarry:
    """What was seen and heard and does not fill a window yet."""

    shots: ShotCarry = field(default_factory=ShotCarry)
    windows: tuple[Window, ...] = ()
    """Wait for their sound."""
    rows: RowCarry = field(default_factory=RowCarry)
    track: int | None = None
    """The audio track that is listened to: the first that comes."""
    seen: int = 0
    """Step of the grid up to which pictures have come."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A window with its sound."""

    window: Window
    rows: np.ndarray
    """float32 [4 T + 320, 12]: from 1.6 s before to 1.6 s after; NaN where there is none."""
    track: int
    """Index of the audio track in its container."""


Weights = tuple[dict[str, Any], ...]
"""Those of each net whose log probabilities are averaged."""


@cache
def shipped_weights() -> Weights:
    """Those that come with the program."""
    with (resources.files("gpu_qa.sync") / "weights.npz").open("rb") as file:
        return _read(file)


@cache
def own_weights(path: str) -> Weights:
    """Those of a file that `gpu-qa sync-train` wrote.

    Raises:
        ConfigError: It cannot be read, or holds something else.
    """
    try:
        with Path(path).open("rb") as file:
            return _read(file)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile):
        raise ConfigError(f"{path}: holds no weights that gpu-qa sync-train wrote") from None


def _read(file: IO[bytes]) -> Weights:
    with np.load(file) as stored:
        count = 1 + max(int(name.partition("/")[0]) for name in stored.files)
        nets = tuple({name: stored[f"{one}/{name}"].astype(np.float32) for name in SHAPES} for one in range(count))
    for net in nets:
        for name, shape in SHAPES.items():
            if net[name].shape != shape or not np.isfinite(net[name]).all():
                raise ValueError(f"{name}: expected finite {list(shape)}, got {list(net[name].shape)}")
    return nets


def content_windows(
    carry: ContentCarry,
    video: Sequence[VideoSeries | Seen] = (),
    audio: Sequence[AudioSeries] = (),
    *,
    finished: bool = False,
) -> tuple[list[Heard], ContentCarry]:
    """Take what became complete; the windows whose sound has come too.

    Args:
        carry: From the call before; `ContentCarry()` at a stream's start.
        video: Series with `motion`.
        audio: Series with `speech`, of any track.
        finished: Nothing follows.
    """
    shots, rows, waiting, track, seen = carry.shots, carry.rows, list(carry.windows), carry.track, carry.seen
    for pictures in video:
        fresh, shots = cut_shots(pictures, shots)
        waiting += fresh
        seen = int(pictures.end_s[-1] * FRAMES_PER_S)
    for sound in audio:
        track = sound.track if track is None else track
        if sound.track == track:
            rows = add_rows(sound, rows)
    if finished:
        waiting, shots = [*waiting, *end_shots(shots)], ShotCarry()
    heard = []
    while waiting and (finished or _has_sound(waiting[0], rows, seen)):
        window = waiting.pop(0)
        begin, until = RATIO * window.first, RATIO * (window.first + len(window))
        around = rows_between(rows, begin - AUDIO_MARGIN, until + AUDIO_MARGIN)
        heard.append(Heard(window, around, track if track is not None else -1))
    oldest = waiting[0].first if waiting else shots.first if shots.blocks else seen - FRAMES_PER_S
    return heard, ContentCarry(shots, tuple(waiting), forget_rows(rows, RATIO * oldest - AUDIO_MARGIN), track, seen)


def _has_sound(window: Window, rows: RowCarry, seen: int) -> bool:
    """Whether all its sound has come, or so much less than the pictures that it is not to be waited for."""
    needed = RATIO * (window.first + len(window)) + AUDIO_MARGIN
    return rows.until >= needed or rows.until < RATIO * seen - _LATE_ROWS


def window_evidence(heard: Heard, weights: Weights) -> np.ndarray | None:
    """Log probability of each lag, float64 [101]; null where nothing moves or nothing is said."""
    rows = heard.rows
    present = np.isfinite(rows[:, 0])
    if present[AUDIO_MARGIN:-AUDIO_MARGIN].mean() < _PRESENT:
        return None
    sound = rows[present]
    if sound.std(0).mean() < _QUIET or sound.max() < np.log10(FLOOR) + 1:
        return None
    motion = unpacked(heard.window.motion)
    if motion[..., 0].mean() < _STILL:
        return None
    filled = np.where(present[:, None], rows, sound.mean(0))
    picture = net_picture(motion)[None]
    scores = np.mean([lag_scores(np, picture, filled[None], one)[0] for one in weights], 0, dtype=np.float64)
    cooled = scores / COOLING
    shares = np.exp(cooled - cooled.max())
    return np.asarray(np.log((1 - DOUBT) * shares / shares.sum() + DOUBT / LAGS))


@dataclass(frozen=True, slots=True)
class Evidence:
    """What all windows so far say together; older ones count less."""

    lags: np.ndarray
    """float64 [101]: log probability of each lag, summed."""
    length_s: float
    """Of the material that it rests on, each second as far as it still counts."""


def gathered(evidence: Evidence | None, fresh: np.ndarray, length_s: float) -> Evidence:
    """The evidence with that of a window of this length."""
    if evidence is None:
        return Evidence(fresh, length_s)
    kept = 0.5 ** (length_s / HALF_LIFE_S)
    return Evidence(kept * evidence.lags + fresh, kept * evidence.length_s + length_s)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the evidence says."""

    offset_s: float
    sigma_s: float
    confidence: float


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
    sigma_s = float(np.sqrt((near * (LAGS_S - mean) ** 2).sum() + (LAG_S / 4) ** 2))
    slope, at_none = CONFIDENCE
    sure = float(1 / (1 + np.exp(-(slope * score + at_none))))
    return Answer(offset_s - ZERO_S, sigma_s, sure * min(1.0, evidence.length_s / LEAST_S))


def told(heard: Heard, answer: Answer, evidence: Evidence) -> SyncSeries:
    """The answer after a window, and the evidence that it is chosen from."""
    start_s = heard.window.first / FRAMES_PER_S
    return SyncSeries(
        way="content",
        track=heard.track,
        start_s=np.array([start_s]),
        end_s=np.array([start_s + len(heard.window) / FRAMES_PER_S]),
        offset_s=np.array([answer.offset_s]),
        sigma_s=np.array([answer.sigma_s]),
        confidence=np.array([answer.confidence], np.float32),
        lags=LagEvidence(LAGS_S - ZERO_S, evidence.lags, answer.offset_s, answer.confidence),
    )
