"""Series as the features stage would give them, made from a few numbers, and cut as a stream may be cut."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from gpu_qa.loudness import NO_HOPS, channel_weights, sliding_lufs
from gpu_qa.series import AudioSeries, Evidence, SpectrumSeries, StreamFact, StreamSeries, VideoSeries
from gpu_qa_kernels.tile_cells.reference import tile_cells_reference

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gpu_qa.series import Detector

TILES = (24, 42)

# fmt: off
PER_FRAME = (
    "luma_cells", "chroma_cells", "coarse_cells", "gradient_cells", "seam_cells",
    "seam", "comb", "field_change", "grid",
    "pts_s", "end_s", "luma", "luma_std", "change", "coarse_change", "gradient", "block_edge", "chroma", "histogram",
    "comparable", "is_corrupt", "damaged", "is_key", "small", "small_chroma",
)
_PER_HOP = (
    "pts_s", "end_s", "peak", "power", "k_power", "zero_run", "clipped", "mean", "cross", "same_run", "true_peak",
    "fine_power", "bend_peak", "bend_power", "levels", "momentary_lufs", "short_term_lufs",
)
# fmt: on
_PER_STEP = ("pts_s", "end_s", "low", "bands", "band_floor")

S = TypeVar("S", VideoSeries, AudioSeries, SpectrumSeries)


def video_series(
    frames: int = 50,
    *,
    frame_rate: float = 25.0,
    start_s: float = 0.0,
    luma: Any = 0.4,
    luma_std: Any = 0.1,
    chroma: Any = (0.05, -0.05),
    change: Any = 0.02,
    coarse_change: Any = None,
    gradient: Any = 0.02,
    block_edge: Any = 0.02,
    seam: Any = 0.002,
    comb: Any = 0.001,
    field_change: Any = None,
    grid: Any = np.nan,
    histogram: Any = None,
    first: bool = True,
    tiles: tuple[int, int] = TILES,
    black_code: float = 16.0,
    white_code: float = 235.0,
    display_aspect_ratio: float = 16 / 9,
) -> VideoSeries:
    """Frames at a constant rate; tile measures broadcast to [T, R, K], `chroma` is a pair or [T, 2, R, K].

    `seam` broadcasts to [T, 2, 3, R, K], `field_change` (as `change` unless given) to [T, 2, R, K] and `grid` to
    [T, 2, 2].
    Without a `histogram` each tile's samples lie half at its mean minus, half at its mean plus its standard deviation.
    `first` says that the first frame has none before it.
    """
    shape = (frames, *tiles)

    def per_tile(value: Any) -> np.ndarray:
        return np.array(np.broadcast_to(np.asarray(value, np.float32), shape))

    def directional(value: Any) -> np.ndarray:
        return np.array(np.broadcast_to(np.asarray(value, np.float32), (frames, 2, *tiles)))

    pts_s = start_s + np.arange(frames) / frame_rate
    luma, luma_std = per_tile(luma), per_tile(luma_std)
    comparable = np.ones(frames, bool)
    comparable[:1] = not first
    moved = comparable[:, None, None]
    colors = np.asarray(chroma, np.float32)
    codes = black_code + luma.mean((1, 2)) * (white_code - black_code)
    small = np.asarray(np.clip(codes, 0, 255) * 256).astype(np.uint16)
    coarse = per_tile(change if coarse_change is None else coarse_change) * moved
    gradient = directional(gradient)
    seam = np.array(np.broadcast_to(np.asarray(seam, np.float32), (frames, 2, 3, *tiles)))
    chroma = directional(colors.reshape(2, 1, 1) if colors.shape == (2,) else colors)
    return VideoSeries(
        luma_cells=cells(luma),
        chroma_cells=cells(chroma),
        coarse_cells=cells(coarse),
        gradient_cells=cells(gradient),
        seam_cells=cells(seam),
        pts_s=pts_s,
        end_s=start_s + np.arange(1, frames + 1) / frame_rate,
        luma=luma,
        luma_std=luma_std,
        change=per_tile(change) * moved,
        coarse_change=coarse,
        gradient=gradient,
        block_edge=directional(block_edge),
        seam=seam,
        comb=per_tile(comb),
        field_change=directional(per_tile(change)[:, None] if field_change is None else field_change) * moved[:, None],
        grid=np.array(np.broadcast_to(np.asarray(grid, np.float32), (frames, 2, 2))),
        chroma=chroma,
        histogram=(
            _two_valued_histogram(luma, luma_std, black_code, white_code)
            if histogram is None
            else np.array(np.broadcast_to(np.asarray(histogram, np.float32), (frames, 256)))
        ),
        comparable=comparable,
        is_corrupt=np.zeros(frames, bool),
        damaged=np.zeros(frames, bool),
        is_key=np.arange(frames) % 50 == 0,
        small=np.broadcast_to(small[:, None, None], (frames, 192, 336)),
        small_chroma=np.broadcast_to(np.uint16(128 * 256), (frames, 2, 96, 168)),
        black_code=black_code,
        white_code=white_code,
        display_aspect_ratio=display_aspect_ratio,
    )


def cells(tiles: np.ndarray) -> np.ndarray:
    """Means over two by two tiles; an odd last row or column is left out."""
    rows, columns = tiles.shape[-2] // 2 * 2, tiles.shape[-1] // 2 * 2
    return tile_cells_reference(tiles[..., :rows, :columns])


def audio_series(
    duration_s: float = 3.0,
    *,
    start_s: float = 0.0,
    channels: Sequence[str] = ("FL", "FR"),
    rms_dbfs: Any = -23.0,
    peak_dbfs: Any = None,
    track: int = 1,
    sample_rate: int = 48_000,
) -> AudioSeries:
    """Hops of 10 ms. `rms_dbfs` broadcasts to [T, C]; the peak is 9 dB above unless given; −inf is digital silence.

    The level does not change within a hop, all samples lie in the bin of its RMS level, second differences are 20 dB
    below it, the channels of a pair are half alike, and no point between samples is above the peak. The sound begins
    with the series, as far as loudness goes.
    """
    hops = round(duration_s * 100)
    shape = (hops, len(channels))
    rms = np.broadcast_to(np.asarray(rms_dbfs, np.float64), shape)
    peak = rms + 9.0 if peak_dbfs is None else np.broadcast_to(np.asarray(peak_dbfs, np.float64), shape)
    power = np.array(10.0 ** (rms / 10.0), np.float32)
    highest = np.array(np.minimum(10.0 ** (peak / 20.0), 1.0), np.float32)
    pairs = shape[1] // 2
    bins = np.clip(np.ceil((5.25 - np.nan_to_num(rms, nan=-200.0, neginf=-200.0)) / 0.75), 0, 63).astype(int)
    momentary, short_term, _ = sliding_lufs(power, channel_weights(tuple(channels)), NO_HOPS)
    levels = sample_rate // 100 * (bins[..., None] == np.arange(64))
    return AudioSeries(
        track=track,
        channels=tuple(channels),
        sample_rate=sample_rate,
        pts_s=start_s + np.arange(hops) / 100,
        end_s=start_s + np.arange(1, hops + 1) / 100,
        peak=highest,
        power=power,
        k_power=power.copy(),
        zero_run=np.array(np.where(power == 0, sample_rate // 100, 0), np.int32),
        clipped=np.zeros(shape, np.int32),
        mean=np.zeros(shape, np.float32),
        cross=0.5 * np.sqrt(power[:, 0 : 2 * pairs : 2] * power[:, 1 : 2 * pairs : 2]),
        same_run=np.array(np.where(power == 0, sample_rate // 100, 1), np.int32),
        true_peak=highest.copy(),
        fine_power=power[:, None].repeat(4, axis=1),
        bend_peak=np.float32(0.1) * highest,
        bend_power=np.float32(0.01) * power,
        levels=levels.astype(np.int32),
        momentary_lufs=momentary,
        short_term_lufs=short_term,
    )


def spectrum_series(
    duration_s: float = 3.0,
    *,
    start_s: float = 0.0,
    channels: Sequence[str] = ("FL", "FR"),
    lines_dbfs: dict[float, float] | None = None,
    floor_dbfs: float = -80.0,
    track: int = 1,
) -> SpectrumSeries:
    """Steps of 0.1 s of sound at 48 kHz: steady lines by their frequency over the same floor in all lines and bands."""
    steps = round(duration_s * 10)
    low = np.full((steps, len(channels), 512), 10.0 ** (floor_dbfs / 10.0), np.float32)
    for frequency, level_dbfs in (lines_dbfs or {}).items():
        # A Hann window shows a line in its two neighbours as well, 6 dB weaker.
        for aside, share in ((-1, 0.25), (0, 1.0), (1, 0.25)):
            low[..., round(frequency / 2) + aside] = share * 10.0 ** (level_dbfs / 10.0)
    edges_hz = np.array([0.0, 100.0, 1000.0, 4000.0, 24_000.0])
    bands = np.full((steps, len(channels), 4), 10.0 ** (floor_dbfs / 10.0), np.float32)
    return SpectrumSeries(
        track=track,
        channels=tuple(channels),
        sample_rate=48_000,
        pts_s=start_s + np.arange(steps) / 10,
        end_s=start_s + np.arange(1, steps + 1) / 10,
        low=low,
        line_hz=2.0,
        bands=bands,
        band_floor=bands.copy(),
        edges_hz=edges_hz,
    )


def _names(series: VideoSeries | AudioSeries | SpectrumSeries) -> tuple[str, ...]:
    """The arrays that have a value per step."""
    if isinstance(series, VideoSeries):
        return PER_FRAME if series.motion is None else (*PER_FRAME, "motion")
    if isinstance(series, AudioSeries):
        return _PER_HOP if series.speech is None else (*_PER_HOP, "speech")
    return _PER_STEP


def joined(*series: S) -> S:
    """Series that follow one another as one; their times are taken as they are."""
    names = _names(series[0])
    values: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in series]) for name in names}
    return dataclasses.replace(series[0], **values)


def cut(series: S, at: Iterable[int]) -> list[S]:
    """The series in pieces that end before the steps `at`; empty pieces stay."""
    names = _names(series)
    edges = [0, *sorted(at), len(series)]
    pieces = []
    for first, last in itertools.pairwise(edges):
        values: dict[str, Any] = {name: getattr(series, name)[first:last] for name in names}
        pieces.append(dataclasses.replace(series, **values))
    return pieces


def fact(kind: Any, start_s: float, end_s: float | None = None, *, track: Any = "video", **details: Any) -> StreamFact:
    """A fact of the stream; without `end_s` it has no length."""
    return StreamFact(kind, track, start_s, start_s if end_s is None else end_s, f"{kind} at {start_s}", details)


def weighed(detector: Detector, pieces: Iterable[Any], limits: Any = None) -> list[Evidence]:
    """A detector's evidence of a stream in pieces, joined per kind and scope in order of appearance."""
    carry: Any = None
    found: dict[tuple[str, str], list[Evidence]] = {}
    for piece in pieces:
        evidence, carry = detector.weigh(piece, detector.limits if limits is None else limits, carry)
        for part in evidence:
            found.setdefault((part.kind, part.scope), []).append(part)
    return [_joined_evidence(parts) for parts in found.values()]


def assert_same_evidence(one: Sequence[Evidence], other: Sequence[Evidence]) -> None:
    """Bit for bit the same kinds, scopes and steps; evidence without a step says nothing."""
    first, second = ({(part.kind, part.scope): part for part in side if len(part)} for side in (one, other))
    assert first.keys() == second.keys()
    for key, part in first.items():
        twin = second[key]
        for name in ("unit", "worst", "message", "latest", "gathered"):
            assert getattr(part, name) == getattr(twin, name), (key, name)
        np.testing.assert_array_equal(part.limit, twin.limit, err_msg=f"{key} limit")
        arrays = {name: getattr(part, name) for name in _STEP_ARRAYS} | part.details
        twins = {name: getattr(twin, name) for name in _STEP_ARRAYS} | twin.details
        assert arrays.keys() == twins.keys()
        for name, values in arrays.items():
            if values is None or values.dtype == object:
                assert (values is None and twins[name] is None) or list(values) == list(twins[name]), (key, name)
            else:
                np.testing.assert_array_equal(values, twins[name], err_msg=f"{key} {name}")


_STEP_ARRAYS = ("start_s", "end_s", "verdict", "value", "confidence", "severity_cap")


def _joined_evidence(parts: list[Evidence]) -> Evidence:
    values: dict[str, Any] = {}
    for name in _STEP_ARRAYS:
        given = [getattr(part, name) for part in parts]
        values[name] = None if given[0] is None else np.concatenate(given)
    details = {name: np.concatenate([part.details[name] for part in parts]) for name in parts[0].details}
    if isinstance(parts[0].limit, np.ndarray):
        values["limit"] = np.concatenate([part.limit for part in parts])
    return dataclasses.replace(parts[0], details=details, **values)


def stream_series(
    until_s: float,
    *facts: StreamFact,
    video_until_s: float | None = None,
    audio_until_s: dict[int, float | None] | None = None,
    finished: bool = False,
    **more: Any,
) -> StreamSeries:
    """A stretch of stream read up to `until_s`; its picture reaches as far unless said otherwise."""
    return StreamSeries(
        facts=facts,
        until_s=until_s,
        video_until_s=until_s if video_until_s is None else video_until_s,
        audio_until_s={} if audio_until_s is None else audio_until_s,
        finished=finished,
        **more,
    )


def _two_valued_histogram(luma: np.ndarray, luma_std: np.ndarray, black_code: float, white_code: float) -> np.ndarray:
    frames = len(luma)
    histogram = np.zeros((frames, 256), np.float32)
    share = 0.5 / (luma.shape[1] * luma.shape[2])
    for values in (luma - luma_std, luma + luma_std):
        codes = np.clip(np.rint(black_code + values * (white_code - black_code)), 0, 255).astype(np.intp)
        for index in range(frames):
            np.add.at(histogram[index], codes[index].ravel(), share)
    return histogram
