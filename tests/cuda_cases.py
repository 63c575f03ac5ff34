"""The CUDA kernels against their definitions: on a card, or in numba's simulator (`python -m tests.cuda_cases`).

The simulator needs about 2 ms per thread, so there only the first tiles of small pictures are measured.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numba import config, cuda

from gpu_qa_kernels import Plane
from gpu_qa_kernels.audio_stats import STATE, AudioStats, empty_audio_stats, start_state
from gpu_qa_kernels.audio_stats.reference import audio_stats_reference
from gpu_qa_kernels.luma_stats import Feature, LumaStats
from gpu_qa_kernels.luma_stats.reference import luma_stats_reference
from gpu_qa_kernels.seam_profile.reference import seam_profile_reference

# Width, height, bit depth, shift, chroma (columns and rows per luma sample, step), with the frame before.
CASES: dict[str, tuple[int, int, int, int, tuple[int, int, int] | None, bool]] = {
    "8 bit 4:2:0": (61, 37, 8, 0, (2, 2, 1), True),
    "8 bit NV12, odd size": (45, 51, 8, 0, (2, 2, 2), True),
    "10 bit P010": (50, 30, 10, 6, (2, 2, 2), True),
    "10 bit 4:2:2": (44, 49, 10, 0, (2, 1, 1), False),
    "12 bit 4:4:4": (30, 26, 12, 0, (1, 1, 1), True),
    "grey, smaller than the grid": (5, 3, 8, 0, None, True),
    "large, some samples counted": (961, 400, 8, 0, None, False),
    "1 × 1": (1, 1, 8, 0, (1, 1, 1), False),
    "NV12 on words": (445, 213, 8, 0, (2, 2, 2), True),
    "P010 on words": (386, 197, 10, 6, (2, 2, 2), True),
    "10 bit of 16, grey, on words": (345, 193, 10, 0, None, True),
    "first NV12 on words": (359, 192, 8, 0, (2, 2, 2), False),
    "NV12 beside words": (446, 214, 8, 0, (2, 2, 2), True),
}
LARGE = {"1080p P010": (1920, 1080, 10, 6, (2, 2, 2), True), "2160p": (3840, 2160, 8, 0, (2, 2, 1), True)}


class _Slab:
    """Device memory filled with noise, in which pictures are placed one behind the other."""

    def __init__(self, size: int) -> None:
        self.data = np.random.default_rng(1).integers(0, 256, size, dtype=np.uint8)
        self._end = 0

    def plane(
        self, width: int, height: int, itemsize: int, step: int, shift_by: int = 0, *, on_words: bool = False
    ) -> Plane:
        """A plane with padding behind its rows; `shift_by` samples into an interleaved one."""
        pitch = width * step + 3
        if on_words:
            pitch = -(-pitch // 4) * 4
            self._end = -(-self._end // 4) * 4
        first = -(-self._end // itemsize) + shift_by
        self._end = (first + pitch * height + 2) * itemsize
        data = self.data if itemsize == 1 else self.data.view(np.uint16)
        return Plane(data, first, pitch, step, width, height)


def luma_case_failures(names: dict[str, Any], *, tiles: int, block: tuple[int, int]) -> list[str]:
    """Measure all cases in one launch of the first `tiles` tiles each, and compare them with the definition."""
    from gpu_qa_kernels.luma_stats.cuda import luma_stats_kernel
    from gpu_qa_kernels.luma_stats.table import Column, described

    slab = _Slab(sum(16 * w * h + 20_000 for w, h, *_ in names.values()) // 2 * 2)
    rng = np.random.default_rng(2)
    rows, expected = [], []
    before_small = rng.integers(0, 65_536, (len(names), 192, 336)).astype(np.uint16)
    for number, (name, case) in enumerate(names.items()):
        width, height, depth, shift, sampling, has_before = case
        itemsize = 1 if depth == 8 else 2
        words = name.endswith("on words")
        luma, before = (slab.plane(width, height, itemsize, 1, on_words=words) for _ in range(2))
        chroma = None
        if sampling is not None:
            columns, lines, step = sampling
            cb = slab.plane(-(-width // columns), -(-height // lines), itemsize, step, on_words=words)
            cr = cb._replace(offset=cb.offset + 1) if step == 2 else slab.plane(cb.width, cb.height, itemsize, step)
            chroma = (cb, cr)
        previous = before if has_before else None
        rows.append(
            described(
                luma,
                chroma,
                bit_depth=depth,
                shift=shift,
                sample_bytes=itemsize,
                previous=previous,
                kept=number,
            )
        )
        if bool(rows[-1][Column.ON_WORDS]) != words and itemsize * width < 3000:
            raise AssertionError(f"{name} is {'' if words else 'not '}to be read by words")
        expected.append(
            luma_stats_reference(
                luma,
                chroma,
                bit_depth=depth,
                shift=shift,
                previous=previous,
                previous_small=before_small[number] if has_before else None,
            )
        )
    count = len(names)
    got = (
        np.full((count, 24, 42, 19), -1, np.int64),
        np.zeros((count, 256), np.int64),
        np.zeros((count, 192, 336), np.uint16),
        np.zeros((count, 2, 96, 168), np.uint16),
    )
    views = [slab.data.view(kind) for kind in (np.uint8, np.uint16, np.uint32)]
    slab_, wide, quad, table, kept, *out = [
        cuda.to_device(array) for array in (*views, np.stack(rows), before_small, *got)
    ]
    # In two launches, as where a stream has two frames.
    for first, last in ((0, count // 2), (count // 2, count)):
        if last > first:
            luma_stats_kernel[(tiles, last - first), block](slab_, wide, quad, table, first, kept, *out)
    results = [array.copy_to_host() for array in out]
    failures = []
    if not np.array_equal(_first_cells(kept.copy_to_host(), tiles), _first_cells(results[2], tiles)):
        failures.append("kept small pictures")
    for number, name in enumerate(names):
        one = LumaStats(*(array[number] for array in results))
        failures += [f"{name}: {what}" for what in _differences(one, expected[number], tiles)]
        if tiles < 42 and not np.array_equal(one.histogram, _first_histogram(slab, rows[number], tiles)):
            failures.append(f"{name}: histogram")
    return failures


def _first_cells(small: np.ndarray, tiles: int) -> np.ndarray:
    """The small pictures' cells of the first `tiles` tiles, as far as these are whole rows of tiles or one."""
    columns, rows = min(tiles, 42), max(1, tiles // 42)
    return small[:, : 8 * rows, : 8 * columns]


def _first_histogram(slab: _Slab, row: np.ndarray, tiles: int) -> np.ndarray:
    """Histogram of the first `tiles` tiles of the first row of tiles alone."""
    from gpu_qa_kernels.luma_stats.table import Column

    data = slab.data if row[Column.SAMPLE_BYTES] == 1 else slab.data.view(np.uint16)
    step, shift = row[Column.LATTICE_STEP], row[Column.LATTICE_SHIFT]
    y, x = np.arange(row[Column.HEIGHT] // 24)[:, None], np.arange(tiles * row[Column.WIDTH] // 42)[None, :]
    places = (row[Column.OFFSET] + y * row[Column.PITCH] + x)[x % step == shift * y % step]
    depth = int(row[Column.BIT_DEPTH])
    codes = (data[places].astype(np.int64) >> row[Column.SHIFT]) & ((1 << depth) - 1)
    return np.bincount((codes >> (depth - 8)).ravel(), minlength=256)


def _differences(got: LumaStats, expected: LumaStats, tiles: int) -> list[str]:
    if tiles == 24 * 42:
        return [name for name in LumaStats._fields if not np.array_equal(getattr(got, name), getattr(expected, name))]
    columns = min(tiles, 42)
    pairs = {
        "tiles": (got.tiles.reshape(-1, len(Feature))[:tiles], expected.tiles.reshape(-1, len(Feature))[:tiles]),
        "small": (got.small[:8, : 8 * columns], expected.small[:8, : 8 * columns]),
        "small chroma": (got.small_chroma[:, :4, : 4 * columns], expected.small_chroma[:, :4, : 4 * columns]),
    }
    return [name for name, (one, other) in pairs.items() if not np.array_equal(one, other)]


def profile_failures(*, block: int) -> list[str]:
    """Profiles of pictures of all cases' kinds in two launches, one picture of more than a block each way."""
    from gpu_qa_kernels.luma_stats.table import described
    from gpu_qa_kernels.seam_profile.cuda import blocks, seam_profile_kernel

    kinds = {
        "8 bit": (140, 70, 8, 0, 1),
        "P010": (35, 67, 10, 6, 1),
        "packed": (33, 12, 8, 0, 2),
        "tiny": (3, 2, 8, 0, 1),
    }
    slab = _Slab(100_000)
    rows, looks, expected, place, most = [], [], [], 5, 0
    for number, (width, height, depth, shift, step) in enumerate(kinds.values()):
        itemsize = 1 if depth == 8 else 2
        plane = slab.plane(width, height, itemsize, step)
        rows.append(described(plane, None, bit_depth=depth, shift=shift, sample_bytes=itemsize))
        expected.append(np.concatenate(seam_profile_reference(plane, bit_depth=depth, shift=shift)))
        looks.append((number, place))
        place += width + height
        most = max(most, blocks(width, height))
    views = [slab.data.view(kind) for kind in (np.uint8, np.uint16)]
    arrays = [cuda.to_device(array) for array in (*views, np.stack(rows), np.array(looks), np.zeros(place, np.int64))]
    for first, count in ((0, 1), (1, 3)):
        seam_profile_kernel[(most, count), block](*arrays[:4], first, arrays[4])
    got = arrays[4].copy_to_host()
    return [
        f"profile {name}"
        for (name, values), (_, at) in zip(zip(kinds, expected, strict=True), looks, strict=True)
        if not np.array_equal(got[at : at + len(values)], values)
    ]


def audio_failures() -> list[str]:
    """Two tracks of different rates and a broken one in one launch, in two cuts, against the definition."""
    from gpu_qa_kernels.audio_stats.cuda import COLUMNS, THREADS, audio_stats_kernel

    rng = np.random.default_rng(3)
    coefficients = np.array([[1.5, -2.7, 1.2, -1.69, 0.73], [1.0, -2.0, 1.0, -1.99, 0.99]])
    taps = rng.normal(0, 0.3, (2, 12)).astype(np.float32)
    tracks = [rng.normal(0, 0.4, (2, 96)).astype(np.float32), rng.normal(0, 2.0, (1, 88)).astype(np.float32)]
    tracks[0][0, 20:50] = 0.0
    tracks[0][1, 48:60] = -0.25
    tracks[1][0, 3:8] = np.nan, np.inf, 1.0, 9.0, 1e30
    edges = [np.array([0, 2, 24, 48, 96], np.int64), np.array([0, 44, 88], np.int64)]
    filters = [taps, taps[:1]]
    # Of the second track the samples before are known.
    before = [start_state(2), np.full((1, STATE), 0.125)]
    rows: list[list[int]] = []
    at = first = edge = pair = 0
    for track, hops, own in zip(tracks, edges, filters, strict=True):
        for channel in range(len(track)):
            paired = channel % 2 == 0 and channel + 1 < len(track)
            row = {
                "samples": first, "edges": edge, "hops": len(hops) - 1, "coefficients": 0, "taps": 0,
                "phases": len(own), "state": STATE * len(rows), "out": at,
                "partner": first + track.shape[1] if paired else -1, "pair": pair,
            }  # fmt: skip
            rows.append([row[name] for name in COLUMNS])
            first += track.shape[1]
            at += len(hops) - 1
            pair += (len(hops) - 1) * paired
        edge += len(hops)
    empty = empty_audio_stats(at, 1)
    device = [
        cuda.to_device(array)
        for array in (
            np.concatenate([track.ravel() for track in tracks]),
            np.array(rows, np.int64),
            np.concatenate(edges),
            coefficients.ravel(),
            taps.ravel(),
            np.concatenate(before).ravel(),
            *(np.zeros(max(values.size, pair), values.dtype) for values in empty),
        )
    ]
    audio_stats_kernel[1, THREADS if not config.ENABLE_CUDASIM else len(rows)](*device)
    results = AudioStats(*(array.copy_to_host() for array in device[6:]))
    states = device[5].copy_to_host().reshape(-1, STATE)
    failures, number = [], 0
    for index, (track, hops, own, state) in enumerate(zip(tracks, edges, filters, before, strict=True)):
        stats, after = audio_stats_reference(track, hops, coefficients, own, state)
        for channel in range(len(track)):
            row = dict(zip(COLUMNS, rows[number], strict=True))
            for name, values in zip(AudioStats._fields, results, strict=True):
                expected = getattr(stats, name)
                if name == "cross":
                    start, expected = row["pair"], expected[:, channel // 2] if row["partner"] >= 0 else expected[:0]
                else:
                    start = row["out"]
                    expected = expected[..., channel] if name == "quarter_energy" else expected[:, channel]
                width = expected[0].size if len(expected) else 1
                got = values[start * width : start * width + expected.size]
                if not np.array_equal(got, expected.ravel()):
                    failures.append(f"track {index} channel {channel}: {name}")
            if not np.array_equal(states[number], after[channel], equal_nan=True):
                failures.append(f"track {index} channel {channel}: state")
            number += 1
    return failures


def device_failures() -> list[str]:
    """Streams of other sizes and depths measured together, two pictures of one at once, as each one alone.

    The first row of tiles only: it is how tables, launches and results are handed over that counts here.
    """
    from numba.cuda.simulator.cudadrv.devicearray import FakeCUDAArray

    from gpu_qa.features import card_buffers
    from gpu_qa.features.device import DevicePictures
    from gpu_qa.features.picture import HostPictures
    from gpu_qa_kernels.luma_stats import cuda as measuring_kernels
    from tests.device_pictures import Form, pictures, slab_for

    kernels: Any = measuring_kernels
    buffers: Any = card_buffers
    forms = (Form(26, 14, 8), Form(22, 10, 10), Form(9, 5, 8, chroma=False))
    slab = slab_for(forms, 3)
    streams = [pictures(slab, form, 3) for form in forms]
    device = DevicePictures()
    got: dict[int, list[Any]] = {0: [], 1: [], 2: []}
    changed = (kernels.BLOCK, kernels.TILE_ROWS, buffers.for_kernel)
    kernels.BLOCK, kernels.TILE_ROWS = (2, 1), 1
    # As device arrays, which may be parts of one another; host arrays would be copied there and back.
    buffers.for_kernel = lambda tensor: FakeCUDAArray(tensor.numpy())
    try:
        for call in ([0, 1, 2, 0], [1, 0]):
            frames = [(name, streams[name][len(got[name]) + call[:at].count(name)]) for at, name in enumerate(call)]
            for name, one in zip(call, device.measure(frames), strict=True):
                got[name].append(one)
    finally:
        kernels.BLOCK, kernels.TILE_ROWS, buffers.for_kernel = changed
    failures = []
    for name, pictures_ in got.items():
        host = HostPictures()
        for number, one in enumerate(pictures_):
            expected = host.measure(streams[name][number])
            failures += [f"stream {name}, {number}: {what}" for what in _differences(one.stats, expected.stats, 42)]
            for got_, wanted in zip(one.profile or (), expected.profile or (), strict=True):
                if not np.array_equal(got_, wanted):
                    failures.append(f"stream {name}, {number}: profile")
            if one.comparable != expected.comparable:
                failures.append(f"stream {name}, {number}: comparable")
    return failures


def main() -> None:
    """Run what the simulator can; print what fails."""
    failures = [
        *luma_case_failures(CASES, tiles=2, block=(2, 2)),
        # Into the second row of tiles, which looks up at the first.
        *luma_case_failures(
            {name: CASES[name] for name in ("10 bit P010", "NV12 on words", "P010 on words")}, tiles=44, block=(2, 1)
        ),
        *profile_failures(block=4),
        *audio_failures(),
        *device_failures(),
    ]
    print("\n".join(failures) or "all equal")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
