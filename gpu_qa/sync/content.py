"""The A/V offset from what is seen and heard alone: windows of shots with their sound, and what a small net says."""

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
from gpu_qa.sync.evidence import LAGS_S, ZERO_S, answer_of
from gpu_qa.sync.material import Unusable
from gpu_qa.sync.measures import mean_change, net_picture, unpacked
from gpu_qa.sync.rows import RowCarry, add_rows, forget_rows, rows_between
from gpu_qa.sync.shots import Seen, ShotCarry, Window, cut_shots, end_shots
from gpu_qa_kernels.speech_bands import FLOOR
from gpu_qa_kernels.sync_net import AUDIO_MARGIN, FRAMES_PER_S, LAGS, MOVING, RATIO, SHAPES, lag_scores, lag_scores_cpu

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.series import AudioSeries, VideoSeries
    from gpu_qa.sync.evidence import Evidence
    from gpu_qa.sync.material import PictureFault, SoundFault

COOLING = 1.0
"""The net's log probabilities are divided by it: taken as they are, talking is answered most at the same rate of
answers to other sound, of 0.8 to 1.5. Ours."""
DOUBT = 0.2
"""Share of a window's probability that is spread over all lags: no window outvotes the rest. Of 0.1 to 0.3 with which
most is answered at the same rate of answers to other sound. Ours."""
STILL = 0.02
"""Mean log change of a window below which nothing moves."""
_QUIET = 0.05
"""Deviation of the bands, decades, below which nothing is said."""
_BLACK_CODES = 20.0
"""Mean luma, 8-bit codes, below which what does not move is black: 16 is, of the limited range."""
_PRESENT = 0.6
"""Share of a window's own rows of sound that must be there."""
_LATE_ROWS = 1000
"""Rows by which sound may be behind the picture before windows go without it: 10 s."""
_EARLY_ROWS = 6000
"""Rows by which sound may be ahead of the picture before it is forgotten: 60 s, more than any container interleaves."""


@dataclass(frozen=True, slots=True)
class ContentCarry:
    """What was seen and heard and does not fill a window yet."""

    shots: ShotCarry = field(default_factory=ShotCarry)
    windows: tuple[Window, ...] = ()
    """Wait for their sound."""
    rows: RowCarry = field(default_factory=RowCarry)
    track: int | None = None
    """The audio track that is listened to: the first with `speech`."""
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

    @property
    def start_s(self) -> float:
        """Where the window starts, on the stream's clock."""
        return self.window.first / FRAMES_PER_S

    @property
    def end_s(self) -> float:
        """Where it ends."""
        return (self.window.first + len(self.window)) / FRAMES_PER_S


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
    except (ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile):
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
        audio: Series of any track; the first with `speech` is listened to.
        finished: Nothing follows.
    """
    shots, rows, waiting, track, seen = carry.shots, carry.rows, list(carry.windows), carry.track, carry.seen
    for pictures in video:
        fresh, shots = cut_shots(pictures, shots)
        waiting += fresh
        seen = int(pictures.end_s[-1] * FRAMES_PER_S)
    for sound in audio:
        if track is None and sound.speech is not None:
            track = sound.track
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
    # Where no picture comes any more, or none at all, sound goes on.
    rows = forget_rows(rows, max(RATIO * oldest - AUDIO_MARGIN, rows.until - _EARLY_ROWS))
    return heard, ContentCarry(shots, tuple(waiting), rows, track, seen)


def _has_sound(window: Window, rows: RowCarry, seen: int) -> bool:
    """Whether all its sound has come, or so much less than the pictures that it is not to be waited for."""
    needed = RATIO * (window.first + len(window)) + AUDIO_MARGIN
    return rows.until >= needed or rows.until < RATIO * seen - _LATE_ROWS


def unusable(heard: Heard) -> Unusable | None:
    """Why a window says nothing; null where it may."""
    rows, motion = heard.rows, heard.window.motion
    present = np.isfinite(rows[:, 0])
    sound: SoundFault | None = None
    if present[AUDIO_MARGIN:-AUDIO_MARGIN].mean() < _PRESENT:
        sound = "missing"
    elif rows[present].max() < np.log10(FLOOR) + 1:
        sound = "silent"
    elif rows[present].std(0).mean() < _QUIET:
        sound = "steady"
    picture: PictureFault | None = None
    if mean_change(motion) < STILL:
        picture = "black" if motion[:, MOVING].mean() < _BLACK_CODES else "still"
    return Unusable(sound, picture) if sound or picture else None


def scorable(heard: Heard) -> np.ndarray | None:
    """The sound of a window as the net takes it, float32 [4 T + 320, 12]; null where nothing moves or is said."""
    return sound_of(heard) if unusable(heard) is None else None


def sound_of(heard: Heard) -> np.ndarray:
    """The sound of a window that is not unusable as the net takes it, float32 [4 T + 320, 12]."""
    rows = heard.rows
    present = np.isfinite(rows[:, 0])
    return np.asarray(np.where(present[:, None], rows, rows[present].mean(0)), np.float32)


def window_scores(codes: Any, sound: Any, weights: Weights, xp: Any = np) -> Any:
    """Log probability of each lag by the nets, [B, 101].

    Args:
        codes: uint8 [B, T, 7, 24, 42]: windows' `packed` measures.
        sound: float32 [B, 4 T + 320, 12]: from `scorable`.
        weights: Arrays of the same module and device.
        xp: The module that all of them are of, NumPy or torch.
    """
    if xp is np:
        each = [
            np.mean([lag_scores_cpu(one, heard, net) for net in weights], 0)
            for one, heard in zip(codes, sound, strict=True)
        ]
        return np.stack(each)
    picture = net_picture(unpacked(codes, xp), xp)
    return xp.stack([lag_scores(xp, picture, sound, one) for one in weights]).mean(0)


def window_evidence(scores: np.ndarray) -> np.ndarray:
    """Log probability of each lag, float64 [101], of what the nets say of one window: cooled, and never sure."""
    cooled = np.asarray(scores, np.float64) / COOLING
    shares = np.exp(cooled - cooled.max())
    return np.asarray(np.log((1 - DOUBT) * shares / shares.sum() + DOUBT / LAGS))


def told(heard: Heard, evidence: Evidence) -> SyncSeries:
    """The answer after a window, and the evidence that it is chosen from."""
    answer = answer_of(evidence)
    return SyncSeries(
        way="content",
        track=heard.track,
        start_s=np.array([heard.start_s]),
        end_s=np.array([heard.end_s]),
        offset_s=np.array([answer.offset_s]),
        sigma_s=np.array([answer.sigma_s]),
        confidence=np.array([answer.confidence], np.float32),
        before_s=np.array([evidence.before_s]),
        since_s=np.array([evidence.since_s]),
        lags=LagEvidence(LAGS_S - ZERO_S, evidence.lags, answer.offset_s, answer.confidence),
    )


def untold(heard: Heard) -> SyncSeries:
    """What stands for a window that says nothing: nothing was heard of the offset for so long."""
    nothing = np.array([np.nan])
    return SyncSeries(
        way="content",
        track=heard.track,
        start_s=np.array([heard.start_s]),
        end_s=np.array([heard.end_s]),
        offset_s=nothing,
        sigma_s=nothing,
        confidence=np.zeros(1, np.float32),
        before_s=nothing,
        since_s=nothing,
    )
