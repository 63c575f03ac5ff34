"""How far sound and picture are apart: the answers of the ways to know it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np

SYNC_WAYS = ("marker", "reference", "content", "timestamps")
"""Ways to know the A/V offset in order of strength: an earlier one that is sure counts. Timestamps say by how much the
offset has changed since the start, and are never sure of more."""
SYNC_STALE_S = 60.0
"""For so long a sure answer counts where none of its own way follows, seconds: before those of weaker ways, as
`av_offset_s`, and, by content, as what keeps an event open; ours."""
SYNC_SURE = 0.9
"""From this confidence on an answer is `av_offset_s`, is drawn, and goes before those of weaker ways. No setting moves
it, so the measurement means the same for every stream; which answers are judged is a limit of the detector. Ours."""


@dataclass(frozen=True, slots=True)
class LagEvidence:
    """How well every A/V offset that was tried fits what was seen and heard."""

    lag_s: np.ndarray
    """float64 [L]: the offsets, rising; positive where sound is advanced."""
    evidence: np.ndarray
    """float64 [L]: log probability of each, not normalised."""
    offset_s: float
    """The answer: where it is highest, between lags."""
    confidence: float
    """0…1, that the answer is right."""


@dataclass(frozen=True, slots=True)
class DelayCurve:
    """How well the picture, or the sound, of a stretch fits its reference at the delays around the best one."""

    delay_s: tuple[float, ...]
    """Delays that were tried, rising, seconds."""
    coefficient: tuple[float, ...]
    """Pearson's, of each."""
    answer_s: float
    """The delay that was told: between those tried, found more finely."""


@dataclass(frozen=True, slots=True)
class DelayEvidence:
    """What the last offset by reference was chosen from: how much the picture is delayed less the sound."""

    reference: str
    """Its name."""
    start_s: float
    """Start of the stretch, seconds."""
    end_s: float
    picture: DelayCurve
    sound: DelayCurve


@dataclass(frozen=True, slots=True)
class SyncSeries:
    """Answers of one way to measure the A/V offset, N of them in order of time."""

    way: Literal["content", "marker", "reference", "timestamps"]
    track: int
    """Index of the audio track in its container."""
    start_s: np.ndarray
    """float64 [N]: start of what the answer was measured on."""
    end_s: np.ndarray
    """float64 [N]: its end."""
    offset_s: np.ndarray
    """float64 [N]: t_vision − t_sound, positive where sound is advanced; NaN where the way abstains."""
    sigma_s: np.ndarray
    """float64 [N]: standard deviation of the offset; by content with what sources in step are apart."""
    confidence: np.ndarray
    """float32 [N]: 0…1, that the offset is right within 45 ms; by content that its peak is the right one, within
    120 ms: `sigma_s` says how near."""
    before_s: np.ndarray | None = None
    """float64 [N]: the answer before the last step, NaN where there was none; null where the way follows at once."""
    since_s: np.ndarray | None = None
    """float64 [N]: where the step lies that this answer makes sure, NaN where it makes none so; null as `before_s`."""
    lags: LagEvidence | None = None
    """What the last answer was chosen from; null where the way weighs no lags."""
    delays: DelayEvidence | None = None
    """The same of a way that weighs delays."""

    def __len__(self) -> int:
        return len(self.start_s)
