from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_qa_kernels import Plane
from gpu_qa_kernels.luma_stats import Feature, LumaStats, empty_luma_stats, feature_counts, luma_stats
from gpu_qa_kernels.luma_stats.reference import luma_stats_reference

DEPTHS = [(8, 0), (10, 0), (10, 6), (12, 0), (16, 0)]
SIZES = [(1, 1), (5, 3), (23, 41), (64, 36), (333, 200), (43, 2200)]


def plane(
    rng: np.random.Generator,
    width: int,
    height: int,
    bits: int,
    *,
    step: int = 1,
    pad: int = 3,
    fill: int | None = None,
) -> Plane:
    """A plane of noise in a larger block of noise: what lies between its rows must not be read."""
    kind = np.uint8 if bits == 8 else np.uint16
    pitch = width * step + 3
    data = rng.integers(0, np.iinfo(kind).max, 5 + pitch * height + 9, endpoint=True).astype(kind)
    if fill is not None:
        data[:] = fill
    return Plane(data, 5, pitch, step, width, height)


def assert_equal(got: LumaStats, expected: LumaStats) -> None:
    for feature in Feature:
        np.testing.assert_array_equal(got.tiles[..., feature], expected.tiles[..., feature], err_msg=feature.name)
    for name in ("histogram", "small", "small_chroma"):
        np.testing.assert_array_equal(getattr(got, name), getattr(expected, name), err_msg=name)


def both(luma: Plane, chroma: tuple[Plane, Plane] | None, **how: Any) -> tuple[LumaStats, LumaStats]:
    return luma_stats(luma, chroma, **how), luma_stats_reference(luma, chroma, **how)


@pytest.mark.parametrize(("bits", "shift"), DEPTHS)
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_cpu_version_equals_the_definition(width: int, height: int, bits: int, shift: int) -> None:
    rng = np.random.default_rng(width * height + bits)
    small = rng.integers(0, 65_536, (192, 336)).astype(np.uint16)
    for sampling, step, has_before in (((2, 2), 1, True), ((2, 2), 2, True), ((2, 1), 1, False), ((1, 1), 1, True)):
        luma, before = (plane(rng, width, height, bits) for _ in range(2))
        size = (-(-width // sampling[0]), -(-height // sampling[1]))
        chroma = (plane(rng, *size, bits, step=step), plane(rng, *size, bits, step=step))
        how: dict[str, Any] = {"bit_depth": bits, "shift": shift}
        if has_before:
            how |= {"previous": before, "previous_small": small}
        assert_equal(*both(luma, chroma, **how))
    assert_equal(*both(plane(rng, width, height, bits), None, bit_depth=bits, shift=shift))


@st.composite
def layouts(draw: st.DrawFn, kind: Any, width: int, height: int) -> Plane:
    """A plane in memory that ends with its last sample, and may begin with its first: rows up or down, any step."""
    step, offset = draw(st.integers(1, 3)), draw(st.integers(0, 2))
    pitch = (width - 1) * step + 1 + draw(st.integers(0, 5))
    size = offset + (height - 1) * pitch + (width - 1) * step + 1
    data = np.random.default_rng(size).integers(0, np.iinfo(kind).max, size, endpoint=True).astype(kind)
    data.setflags(write=False)
    if draw(st.booleans()):
        return Plane(data, offset + (height - 1) * pitch, -pitch, step, width, height)
    return Plane(data, offset, pitch, step, width, height)


@settings(max_examples=60, deadline=None)
@given(
    data=st.data(), width=st.sampled_from([1, 31, 64, 65, 130, 336, 400]), height=st.sampled_from([1, 8, 9, 192, 200])
)
def test_any_layout_gives_the_same_numbers(data: st.DataObject, width: int, height: int) -> None:
    bits, shift = data.draw(st.sampled_from([*DEPTHS, (9, 3), (8, 8), (12, 4)]))
    kind = np.uint8 if (bits, shift) == (8, 0) else np.uint16
    luma, before = (data.draw(layouts(kind, width, height)) for _ in range(2))
    cb, cr = (data.draw(layouts(kind, (width + 1) // 2, height)) for _ in range(2))
    small = np.full((192, 336), 1000, np.uint16)
    assert_equal(*both(luma, (cb, cr), bit_depth=bits, shift=shift, previous=before, previous_small=small))


def test_results_go_to_the_arrays_that_are_given() -> None:
    rng = np.random.default_rng(4)
    luma, out = plane(rng, 90, 70, 8), empty_luma_stats()
    for array in out:
        array[:] = 77
    assert luma_stats(luma, None, bit_depth=8, shift=0, out=out) is out
    assert_equal(out, luma_stats_reference(luma, None, bit_depth=8, shift=0))


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("period", [2, 6, 7, 36])
def test_stripes_cannot_hide_from_the_histogram(axis: int, period: int) -> None:
    stripes = np.zeros((1080, 1920), np.uint8)
    (stripes if axis == 0 else stripes.T)[::period] = 200
    stats = luma_stats(Plane(stripes.ravel(), 0, 1920, 1, 1920, 1080), None, bit_depth=8, shift=0)
    assert stats.histogram.sum() == pytest.approx(1920 * 1080 / 36, rel=0.001)
    assert stats.histogram[200] / stats.histogram.sum() == pytest.approx(1 / period, rel=0.02)


@pytest.mark.parametrize(("bits", "shift"), DEPTHS)
def test_sums_of_the_brightest_samples_do_not_overflow(bits: int, shift: int) -> None:
    """A tall narrow picture: tiles of thousands of rows, white against black in every step."""
    rng = np.random.default_rng(1)
    most = 255 if bits == 8 else 65_535
    white, black = plane(rng, 50, 9000, bits, fill=most), plane(rng, 50, 9000, bits, fill=0)
    white.data[5 :: 2 * white.pitch] = 0
    small = np.zeros((192, 336), np.uint16)
    assert_equal(*both(white, (white, black), bit_depth=bits, shift=shift, previous=black, previous_small=small))


def test_a_picture_stored_bottom_up_is_read_as_any_other() -> None:
    rng = np.random.default_rng(2)
    luma = plane(rng, 60, 40, 8)
    flipped = luma._replace(offset=luma.offset + 39 * luma.pitch, pitch=-luma.pitch)
    assert_equal(*both(flipped, None, bit_depth=8, shift=0))


def test_known_numbers() -> None:
    """42 × 24 samples are one a tile: every sum is a sample, a square, a difference."""
    codes = np.arange(42 * 24, dtype=np.uint8).reshape(24, 42) % 200
    before = np.zeros_like(codes)
    luma, previous = (Plane(array.ravel(), 0, 42, 1, 42, 24) for array in (codes, before))
    stats = luma_stats(
        luma, None, bit_depth=8, shift=0, previous=previous, previous_small=np.zeros((192, 336), np.uint16)
    )
    wide = codes.astype(np.int64)
    np.testing.assert_array_equal(stats.tiles[..., Feature.SUM], wide)
    np.testing.assert_array_equal(stats.tiles[..., Feature.SUM_SQUARES], wide**2)
    np.testing.assert_array_equal(stats.tiles[..., Feature.CHANGE], wide)
    np.testing.assert_array_equal(stats.tiles[..., Feature.COARSE_CHANGE], wide * 256 * 64)
    np.testing.assert_array_equal(stats.tiles[:, 1:, Feature.GRADIENT_H], np.abs(np.diff(wide, axis=1)))
    np.testing.assert_array_equal(stats.tiles[1:, :, Feature.GRADIENT_V], np.abs(np.diff(wide, axis=0)))
    assert not stats.tiles[:, 0, Feature.GRADIENT_H].any()
    assert set(np.flatnonzero(stats.tiles[..., Feature.EDGE_H].any(axis=0))) <= {8, 16, 24, 32, 40}
    np.testing.assert_array_equal(stats.small[::8, ::8], codes.astype(np.uint16) * 256)
    np.testing.assert_array_equal(stats.small_chroma, 128 * 256)


def test_seams_are_steps_that_stand_alone_and_combs_lines_that_do() -> None:
    flat = np.full((48, 84), 100, np.uint8)

    def sums(picture: np.ndarray, before: np.ndarray | None = None) -> dict[Feature, int]:
        luma, previous = (None if one is None else Plane(one.ravel(), 0, 84, 1, 84, 48) for one in (picture, before))
        small = None if before is None else np.zeros((192, 336), np.uint16)
        assert luma is not None
        stats = luma_stats(luma, None, bit_depth=8, shift=0, previous=previous, previous_small=small)
        return {feature: int(stats.tiles[..., feature].sum()) for feature in Feature}

    step, slope, lines = flat.copy(), flat.copy(), flat.copy()
    step[:, 32:], slope[:], lines[1::2] = 130, np.arange(84) * 2, 140
    step[24:] += 7
    # A step of 30 at x = 32, on the grid; one of 7 at y = 24, midway between its lines; and a slope is no step.
    found = sums(step)
    assert (found[Feature.SEAM_H0], found[Feature.SEAM_H8], found[Feature.SEAM_H4]) == (48 * 30, 0, 0)
    assert (found[Feature.SEAM_V0], found[Feature.SEAM_V8], found[Feature.SEAM_V4]) == (0, 84 * 7, 0)
    assert not any(
        sums(slope)[feature] for feature in (Feature.SEAM_H0, Feature.SEAM_H8, Feature.SEAM_H4, Feature.COMB)
    )
    assert found[Feature.COMB] == 0
    assert sums(lines)[Feature.COMB] == 46 * 84 * 40
    # Even lines of the picture are what the odd ones were.
    woven = lines[::-1].copy()
    found = sums(woven, lines)
    assert (found[Feature.FIELD_EVEN], found[Feature.FIELD_ODD]) == (0, 0)
    assert sums(lines, lines)[Feature.FIELD_EVEN] == 24 * 84 * 40
    assert sums(lines)[Feature.FIELD_EVEN] == 0


def test_registers_of_another_width_give_the_same_numbers(tmp_path: Path) -> None:
    """In a process of its own: vectors are as wide as the processor's registers, which is asked for at import."""
    script = """
import numpy as np
from llvmlite import binding
asked = binding.get_host_cpu_features
known = dict(asked())
binding.get_host_cpu_features = lambda: {**known, "avx512bw": not known.get("avx512bw")}
from gpu_qa_kernels import Plane, lanes
binding.get_host_cpu_features = asked
from gpu_qa_kernels.luma_stats import luma_stats
from gpu_qa_kernels.luma_stats.reference import luma_stats_reference
assert lanes.LANES_8 == (32 if known.get("avx512bw") else 64)
for width, height in ((1, 1), (67, 30), (70, 9), (333, 200)):
    rng = np.random.default_rng(width)
    planes = [rng.integers(0, 256, width * height).astype(np.uint8) for _ in range(2)]
    for plane in planes:
        plane.setflags(write=False)
    luma, before = (Plane(plane, 0, width, 1, width, height) for plane in planes)
    how = dict(bit_depth=8, shift=0, previous=before, previous_small=np.zeros((192, 336), np.uint16))
    got, expected = luma_stats(luma, (luma, luma), **how), luma_stats_reference(luma, (luma, luma), **how)
    assert all(map(np.array_equal, got, expected)), (width, height)
"""
    environment = os.environ | {
        "NUMBA_CACHE_DIR": str(tmp_path),
        "PYTHONPATH": str(Path(__file__).parents[1] / "kernels"),
    }
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr


def test_means_are_what_a_plain_formula_gives() -> None:
    rng = np.random.default_rng(3)
    luma = plane(rng, 640, 360, 8)
    rows = 5 + np.arange(360)[:, None] * luma.pitch + np.arange(640)
    picture = luma.data[rows].astype(float)
    stats = luma_stats(luma, None, bit_depth=8, shift=0)
    counts = feature_counts(640, 360)
    mean = stats.tiles[..., Feature.SUM].sum() / counts[..., Feature.SUM].sum()
    assert mean == pytest.approx(picture.mean(), abs=1e-9)
    across = stats.tiles[..., Feature.GRADIENT_H].sum() / counts[..., Feature.GRADIENT_H].sum()
    assert across == pytest.approx(np.abs(np.diff(picture, axis=1)).mean(), abs=1e-9)
    edge = stats.tiles[..., Feature.EDGE_V].sum() / counts[..., Feature.EDGE_V].sum()
    assert edge == pytest.approx(np.abs(np.diff(picture, axis=0))[7::8].mean(), abs=1e-9)
    assert stats.small.mean() / 256 == pytest.approx(picture.mean(), abs=0.2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 61}, "reaches out"),
        ({"offset": -1}, "reaches out"),
        ({"height": 0}, "no picture"),
        ({"data": np.zeros(4000, np.int32)}, "cannot read"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], message: str) -> None:
    data = np.zeros(60 * 40, np.uint8)
    luma = Plane(data, 0, 60, 1, 60, 40)._replace(**change)
    with pytest.raises(ValueError, match=message):
        luma_stats(luma, None, bit_depth=8, shift=0)
