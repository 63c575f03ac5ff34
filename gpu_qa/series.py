"""What moves between measuring and telling: series, evidence, events. NumPy only.

All times are seconds on the stream's own clock: 0 is the first video frame (the first sound where there is no video).
Axes: `T` time, `R, K` tile rows and columns, `C` channels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

Severity = Literal["info", "warn", "major", "critical"]
State = Literal["open", "closed"]

SEVERITIES: tuple[Severity, ...] = ("info", "warn", "major", "critical")


@dataclass(frozen=True)
class VideoSeries:
    """Measures of T consecutive frames of one format on the fixed grid of tiles.

    Tile measures are means over a tile's samples; luma ones are fractions of full scale, where 0 is black and 1 is
    white of the frame's own color range (limited range: code 16 → 0, 235 → 1 at 8 bit), not clipped.
    """

    pts_s: np.ndarray
    """float64 [T]."""
    end_s: np.ndarray
    """float64 [T]: when the frame gives way to the next one, as far as known (its own duration else)."""
    luma: np.ndarray
    """float32 [T, R, K]: mean luma."""
    luma_std: np.ndarray
    """float32 [T, R, K]: standard deviation of luma within the tile."""
    change: np.ndarray
    """float32 [T, R, K]: mean absolute difference to the frame before; 0 where `comparable` is false."""
    coarse_change: np.ndarray
    """float32 [T, R, K]: the same between the area-averaged small pictures, in which noise is averaged out."""
    gradient: np.ndarray
    """float32 [T, 2, R, K]: mean absolute difference to the left (0) and upper (1) neighbour."""
    block_edge: np.ndarray
    """float32 [T, 2, R, K]: the same on the 8-sample grid only."""
    seam: np.ndarray
    """float32 [T, 2, 3, R, K]: by how much steps across (0) and down (1) stand out from those on both their sides,
    mean over grid lines of every 16 samples (0), over the lines midway between those (1), and over lines 4 after the
    former, which lie on no codec's grid (2); 0 where a tile has no such line."""
    luma_cells: np.ndarray
    """float32 [T, R / 2, K / 2]: mean of `luma` over cells of two by two tiles; so are the other cells."""
    chroma_cells: np.ndarray
    """float32 [T, 2, R / 2, K / 2]: of `chroma`."""
    coarse_cells: np.ndarray
    """float32 [T, R / 2, K / 2]: of `coarse_change`."""
    gradient_cells: np.ndarray
    """float32 [T, 2, R / 2, K / 2]: of `gradient`."""
    seam_cells: np.ndarray
    """float32 [T, 2, 3, R / 2, K / 2]: of `seam`."""
    comb: np.ndarray
    """float32 [T, R, K]: by how much more a line differs from both beside it than these differ from one another."""
    field_change: np.ndarray
    """float32 [T, 2, R, K]: mean absolute difference of even lines (0) to the line below in the frame before, of odd
    ones (1) to the line above; 0 where `comparable` is false."""
    grid: np.ndarray
    """float32 [T, 2, 2]: the strongest periodic grid of steps across (0) and down (1) in the whole frame, as its period
    in samples, 6…64, perhaps fractional, and its strength: the mean by which steps on its lines stand out more than
    others. Both are 0 where no grid stands out from chance, and NaN in frames that were not looked at: one in 0.9 s is.
    """
    chroma: np.ndarray
    """float32 [T, 2, R, K]: mean Cb and Cr, −0.5…0.5, 0 is grey."""
    histogram: np.ndarray
    """float32 [T, 256]: share of samples per 1/256 of the code range (raw codes, not full-scale fractions)."""
    comparable: np.ndarray
    """bool [T]: the frame before exists and has the same format."""
    is_corrupt: np.ndarray
    """bool [T]: the decoder concealed damage."""
    damaged: np.ndarray
    """bool [T]: decoder or transport reported damage of the track at the frame or since the one before."""
    is_key: np.ndarray
    """bool [T]."""
    small: np.ndarray
    """uint16 [T, 192, 336]: area-averaged luma in 1/256 of an 8-bit code."""
    small_chroma: np.ndarray
    """uint16 [T, 2, 96, 168]: area-averaged Cb, Cr in 1/256 of an 8-bit code; 128 · 256 is grey."""
    black_code: float
    """8-bit code of black (16 or 0)."""
    white_code: float
    """8-bit code of white (235 or 255)."""
    display_aspect_ratio: float
    """Width over height of the picture as shown."""
    transfer: Literal["sdr", "pq", "hlg"] = "sdr"
    """How code values become light: `pq` and `hlg` as in ITU-R BT.2100-2, `sdr` all else (ITU-R BT.1886)."""
    color_space: str | None = None
    """Matrix coefficients such as `bt709`; null where the stream does not say."""
    interlaced: bool = False
    """The lines are two fields of different times, woven."""
    top_field_first: bool | None = None
    """Which field the stream says is shown first; null where it is not interlaced or does not say."""
    motion: np.ndarray | None = None
    """float32 [T, 8, R, K]: sums over the tiles of `small` by `motion_tiles`; null where nothing that runs asks for
    them."""

    def __len__(self) -> int:
        return len(self.pts_s)

    @cached_property
    def median_luma(self) -> np.ndarray:
        """float32 [T]: median of the tiles' luma; made when a detector first asks, for all of them."""
        return _median(self.luma.reshape(len(self), -1))

    @cached_property
    def median_chroma(self) -> np.ndarray:
        """float32 [T, 2]: medians of the tiles' Cb and Cr."""
        return _median(self.chroma.reshape(len(self), 2, -1))


@dataclass(frozen=True, slots=True)
class AudioSeries:
    """Measures of T consecutive 10 ms hops of one track. Hops follow one another without a gap within a series."""

    track: int
    """Index of the track in its container."""
    channels: tuple[str, ...]
    """Channel names in order, such as ("FL", "FR")."""
    sample_rate: int
    """Hz."""
    pts_s: np.ndarray
    """float64 [T]: start of the hop."""
    end_s: np.ndarray
    """float64 [T]: end of the hop."""
    peak: np.ndarray
    """float32 [T, C]: largest absolute sample, full scale = 1."""
    power: np.ndarray
    """float32 [T, C]: mean square, full-scale square = 1."""
    k_power: np.ndarray
    """float32 [T, C]: mean square after K-weighting (ITU-R BS.1770-5)."""
    zero_run: np.ndarray
    """int32 [T, C]: longest run of exactly zero samples within the hop."""
    clipped: np.ndarray
    """int32 [T, C]: samples at or above 32 767 / 32 768 of full scale."""
    mean: np.ndarray
    """float32 [T, C]: mean of the samples (DC), full scale = 1."""
    cross: np.ndarray
    """float32 [T, C // 2]: mean product of channels 2i and 2i + 1, full-scale square = 1."""
    same_run: np.ndarray
    """int32 [T, C]: longest run of equal samples, zero or not, within the hop; 1 where no two are equal."""
    true_peak: np.ndarray
    """float32 [T, C]: largest absolute value of the samples and of three points between any two (ITU-R BS.1770-5,
    Annex 2; one point from 96 kHz on, none from 192 kHz on), full scale = 1. Up to 0.12 ms late."""
    fine_power: np.ndarray
    """float32 [T, 4, C]: mean square of each quarter of the hop (2.5 ms), full-scale square = 1."""
    bend_peak: np.ndarray
    """float32 [T, C]: largest |x(n) − 2 x(n − 1) + x(n − 2)|, n in the hop, full scale = 1."""
    bend_power: np.ndarray
    """float32 [T, C]: mean square of that difference, full-scale square = 1."""
    levels: np.ndarray
    """int32 [T, C, 64]: samples by absolute value in bins of 0.75 dB: bin 0 from +5.25 dBFS up, bin k from
    5.25 − 0.75 k dBFS up to the one before, the last one all the rest."""
    momentary_lufs: np.ndarray
    """float32 [T]: loudness of all channels over the 400 ms up to the hop's end (ITU-R BS.1770-5), LUFS; −inf is
    silence, NaN where the sound has not lasted that long since it began or since a gap."""
    short_term_lufs: np.ndarray
    """float32 [T]: the same over 3 s (EBU Tech 3341)."""
    speech: np.ndarray | None = None
    """float32 [T, 12]: log10 of the mean power per line in the bands that speech moves in, all channels as one, in a
    Hann window of 25 ms that ends with the hop, full-scale square = 1; null where nothing that runs asks for it."""

    def __len__(self) -> int:
        return len(self.pts_s)


@dataclass(frozen=True, slots=True)
class SpectrumSeries:
    """Spectra of T consecutive steps of 0.1 s of one track. Steps follow one another without a gap within a series.

    Powers are shares of the full-scale square: a full-scale square wave has 1 in all, a full-scale sine 0.5.
    """

    track: int
    """Index of the track in its container."""
    channels: tuple[str, ...]
    """Channel names in order, such as ("FL", "FR")."""
    sample_rate: int
    """Hz."""
    pts_s: np.ndarray
    """float64 [T]: start of the step."""
    end_s: np.ndarray
    """float64 [T]: end of the step."""
    low: np.ndarray
    """float32 [T, C, 512]: power of the line k · `line_hz` in a Hann window of 0.5 s around the step: that of a sine at
    the line. At a gap the nearest window that holds sound throughout."""
    line_hz: float
    """Distance of the lines in Hz: 2, up to half a per mille more or less at unusual sample rates."""
    bands: np.ndarray
    """float32 [T, C, B]: power in each band, the mean of two windows of 25 ms, 25 ms apart."""
    band_floor: np.ndarray
    """float32 [T, C, B]: the lesser of the two."""
    edges_hz: np.ndarray
    """float64 [B + 1]: edges of the bands, those of hearing (Bark) and wider ones above; the last is half the rate."""

    def __len__(self) -> int:
        return len(self.pts_s)


SYNC_WAYS = ("marker", "reference", "content", "timestamps")
"""Ways to know the A/V offset in order of strength: an earlier one that is sure counts. Timestamps say by how much the
offset has changed since the start, and are never sure of more."""
SYNC_STALE_S = 60.0
"""For so long a sure answer counts before those of weaker ways where none of its own way follows, seconds; ours."""
SYNC_SURE = 0.9
"""From this confidence on an answer is `av_offset_s`, is drawn, and goes before those of weaker ways. No setting moves
it, so the measurement means the same for every stream; which answers are judged is a limit of the detector. Ours."""


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
    """float64 [N]: standard deviation of the offset."""
    confidence: np.ndarray
    """float32 [N]: 0…1, that the offset is right within 45 ms."""
    before_s: np.ndarray | None = None
    """float64 [N]: the answer before the last step, NaN where there was none; null where the way follows at once."""
    since_s: np.ndarray | None = None
    """float64 [N]: where the step lies that this answer makes sure, NaN where it makes none so; null as `before_s`."""
    lags: LagEvidence | None = None
    """What the last answer was chosen from; null where the way weighs no lags."""

    def __len__(self) -> int:
        return len(self.start_s)


@dataclass(frozen=True, slots=True)
class StreamFact:
    """Something that happened to the stream itself, placed on its clock."""

    kind: Literal["gap", "discontinuity", "decode_error", "transport_error", "format_change", "stalled", "overload"]
    track: Literal["video", "audio"]
    start_s: float
    end_s: float
    """Equal to `start_s` for what has no length."""
    message: str
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StreamSeries:
    """The facts of a stretch of stream, and how far each track has come by its end."""

    facts: tuple[StreamFact, ...]
    """In order of `start_s`."""
    until_s: float
    """How far the stream has been read."""
    video_until_s: float | None
    """End of the last frame; null before the first or where there is no video."""
    audio_until_s: dict[int, float | None]
    """End of the last sound per audio track of the input; null before the first."""
    finished: bool = False
    """True in a stream's last series."""
    audio_from_s: dict[int, float] = field(default_factory=dict)
    """Start of the first sound per audio track that has begun."""
    audio_sound_s: dict[int, float] = field(default_factory=dict)
    """Length of all sound so far by its samples, per audio track that has begun, seconds."""
    audio_zero_s: dict[int, float] = field(default_factory=dict)
    """Timestamp that stands for the clock's 0 now, per audio track that has begun, seconds: it changes with the
    track's discontinuities."""
    video_zero_s: float | None = None
    """The same of the picture; null before the first frame."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A detector's view of a stretch of stream, step by step. Steps may overlap in time and may leave gaps."""

    kind: str
    """Event kind such as `video.freeze`."""
    scope: str
    """What of the stream: "" the picture, "1" or "1:front" an audio track and channel group. Part of an event's key."""
    start_s: np.ndarray
    """float64 [T]: start of what the step speaks of."""
    end_s: np.ndarray
    """float64 [T]: its end."""
    verdict: np.ndarray
    """int8 [T]: +1 raises, −1 clears, 0 leaves things as they are (hysteresis band, or nothing to judge by)."""
    value: np.ndarray
    """float32 [T]: the measured value, in `unit`."""
    limit: float
    """The value from which on `value` is a defect, in `unit`."""
    unit: str
    worst: Literal["max", "min"] = "max"
    """Which of an event's values stands for it."""
    confidence: np.ndarray | None = None
    """float32 [T] in 0…1; null is 1 throughout."""
    details: dict[str, np.ndarray] = field(default_factory=dict)
    """Arrays [T] of any dtype (object for JSON values); an event shows those of its last raising step."""
    severity_cap: np.ndarray | None = None
    """int8 [T]: index into `SEVERITIES` that an event may not exceed; null is no cap."""
    message: str = ""
    """`str.format` template with `{value}`, `{limit}`, `{duration_s}` and the details' names."""

    def __len__(self) -> int:
        return len(self.start_s)

    @property
    def raises(self) -> bool:
        """Whether any step does. Of a few steps Python finds the largest sooner than NumPy."""
        return max(self.verdict.tolist(), default=0) > 0


@dataclass(frozen=True, slots=True)
class Event:
    """Something a viewer would notice, from when to when. Same id from open to closed."""

    id: str
    """`STREAM-KIND-START`: stable over runs of the same input."""
    stream: str
    kind: str
    state: State
    severity: Severity
    start_s: float
    end_s: float | None
    """Null while open."""
    value: float | None
    """The worst measured value; null where none could be measured."""
    limit: float | None
    unit: str
    confidence: float
    """0…1."""
    message: str
    details: dict[str, Any] = field(default_factory=dict)
    """Kind-specific JSON values. `consequences` are the kinds that would be told too if this were not their cause."""
    scope: str = ""
    """What of the stream, as in `Evidence`: "" the picture, "1" or "1:front" an audio track and channel group."""


@dataclass(frozen=True, slots=True)
class EventTiming:
    """How long evidence must last before it is told, and how an event's severity grows."""

    raise_after_s: float = 2.0
    """Evidence must raise for this long before an event opens (it then starts where the evidence did)."""
    clear_after_s: float = 0.5
    """Evidence must stay away for this long before an event closes (it then ended where the evidence did)."""
    major_after_s: float = 5.0
    """`warn` becomes `major` at this length."""
    critical_after_s: float = 15.0
    """`major` becomes `critical` at this length."""

    def __post_init__(self) -> None:
        if not self.raise_after_s >= 0 or not self.clear_after_s >= 0:
            raise ValueError("raise_after_s and clear_after_s must be 0 or more")
        if not self.raise_after_s <= self.major_after_s <= self.critical_after_s:
            raise ValueError("raise_after_s ≤ major_after_s ≤ critical_after_s must hold")


@dataclass(frozen=True, slots=True)
class Detector:
    """A detector as the program sees it: what it reads, what it tells, its settings and its one function."""

    name: str
    """Lower case, as in `--detectors` and the configuration: `freeze`."""
    kinds: tuple[str, ...]
    """The event kinds that its evidence has."""
    consumes: Literal["video", "audio", "spectrum", "sync", "stream"]
    """Which series `weigh` is given: `VideoSeries`, `AudioSeries`, `SpectrumSeries`, `SyncSeries` or `StreamSeries`."""
    weigh: Callable[[Any, Any, Any], tuple[list[Evidence], Any]]
    """`weigh(series, limits, carry) → (evidence, carry)`: pure. `carry` is null at a stream's start and opaque to the
    caller, who hands it back with the next series; any cut of a stream into series gives the same evidence."""
    limits: Any
    """The default limits: an instance of a frozen dataclass."""
    timing: EventTiming
    """The default timing of its events."""
    summary: str
    """One line: what a viewer notices."""
    source: str
    """Where the defaults come from: a standard with clause, a program, or our own measurement."""
    conclude: Callable[[Any, Any], list[Evidence]] | None = None
    """`conclude(limits, carry) → evidence`: what can only be said of a whole programme. Asked once, with the last
    carry, where a file has been read from its start to its end; null has nothing to say then."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A measured series over the whole stream, thinned to a bounded number of bins."""

    name: str
    """Such as `change`."""
    label: str
    """For people, such as `Change between frames`."""
    unit: str
    pts_s: np.ndarray
    """float64 [B]: start of the bin."""
    low: np.ndarray
    """float32 [B]: smallest value in the bin."""
    high: np.ndarray
    """float32 [B]: largest value in the bin."""


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
class Report:
    """All that is known of one input once it has ended or was stopped."""

    stream: str
    """Name of the stream: the input as given, without credentials."""
    media: dict[str, Any]
    """JSON: container, duration, tracks, what was ignored and why; empty where the input could not be opened."""
    events: tuple[Event, ...]
    """In order of `start_s`; all closed."""
    measurements: dict[str, Any]
    """JSON: what was measured even where nothing is wrong; null values have a reason under `NAME_reason`."""
    curves: tuple[Curve, ...]
    thumbnails: dict[str, bytes]
    """Event id → JPEG of the frame where the event began, or of the sound around that moment."""
    settings: dict[str, Any]
    """JSON: the settings used."""
    error: str | None = None
    """Why the input could not be analyzed, or not to its end; null where it could."""
    lags: LagEvidence | None = None
    """What the last A/V offset by content was chosen from; null where there is none."""

    @property
    def exit_code(self) -> int:
        """0 clean, 1 defects found, 2 could not analyze. Events of severity `info` are no defects.

        Defects count even where the input failed afterwards, but not where nothing of it could be analyzed: they then
        say no more than the error.
        """
        if self.error is not None and self.measurements.get("analyzed_s") == 0:
            return 2
        if any(event.severity != "info" for event in self.events):
            return 1
        return 2 if self.error is not None else 0


@lru_cache(maxsize=1024, typed=True)
def constant(count: int, value: bool | int | float | str | None, dtype: type) -> np.ndarray:  # noqa: FBT001
    """`count` times the same value, read-only and shared: for evidence of frames in which there is nothing to tell."""
    array: np.ndarray = np.full(count, value, dtype)
    array.setflags(write=False)
    return array


def _median(values: np.ndarray) -> np.ndarray:
    """Median along the last axis. Sorting with the processor's vectors is faster than `np.median`."""
    ordered, count = np.sort(values, axis=-1), values.shape[-1]
    return np.asarray((ordered[..., (count - 1) // 2] + ordered[..., count // 2]) / 2)
