"""Fractions: what was summed over the tiles of pictures becomes means, as fractions of full scale."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gpu_qa_kernels.luma_stats import Feature, feature_counts
from gpu_qa_kernels.tile_means import tile_means

if TYPE_CHECKING:
    from gpu_qa.media import VideoFormat

_LIMITED_RANGE = (16.0, 235.0)
_FULL_RANGE = (0.0, 255.0)
"""8-bit codes of black and white (ITU-R BT.709-6, item 4.6; full range: ISO/IEC 23091-2)."""


def code_range(form: VideoFormat) -> tuple[float, float]:
    """8-bit codes of black and of white."""
    return _FULL_RANGE if form.color_range == "full" else _LIMITED_RANGE


def tile_fractions(
    tiles: np.ndarray, form: VideoFormat, chroma_size: tuple[int, int], *, out: np.ndarray | None = None
) -> np.ndarray:
    """Means of T pictures of one format, float32 [T, 19, 24, 42] by `Feature`, without the GIL.

    Args:
        tiles: int64 [T, 24, 42, 19]: their sums.
        form: Their format.
        chroma_size: Width and height of a chroma plane in samples; (0, 0) for grey pictures.
        out: Contiguous, to be written and returned; null makes it.
    """
    black, white = code_range(form)
    fractions = _fractions(form.width, form.height, *chroma_size, form.bit_depth, black, white)
    means = tile_means(tiles, fractions.scale, fractions.offset, out=out)
    if fractions.colorless is not None:
        means[:, Feature.CB : Feature.CR + 1, fractions.colorless] = 0.0
    return means


class _Fractions(NamedTuple):
    """What makes fractions of full scale of the sums of a format: sum · scale + offset."""

    scale: np.ndarray
    """float64 [24, 42, 19]: a code value as a fraction, over the number of a tile's terms."""
    offset: np.ndarray
    """float64 [19]."""
    colorless: np.ndarray | None
    """bool [24, 42]: tiles without samples of chroma; null where all have some."""


@lru_cache(maxsize=64)
def _fractions(
    width: int, height: int, chroma_width: int, chroma_height: int, bit_depth: int, black: float, white: float
) -> _Fractions:
    counts = feature_counts(width, height, chroma_width, chroma_height)
    code = 2.0 ** (bit_depth - 8)
    offset = np.zeros(len(Feature))
    offset[Feature.SUM] = -black / (white - black)
    offset[[Feature.CB, Feature.CR]] = -0.5
    colorless = counts[..., Feature.CB] == 0
    return _Fractions(
        _scale(black, white, code) / np.maximum(counts, 1), offset, colorless if colorless.any() else None
    )


def _scale(black: float, white: float, code: float) -> np.ndarray:
    """What a code value of each feature is as a fraction of full scale, float64 [19]; `code` codes are an 8-bit one."""
    scale = np.full(len(Feature), 1.0 / ((white - black) * code))
    scale[Feature.SUM_SQUARES] **= 2
    scale[Feature.COARSE_CHANGE] = 1.0 / ((white - black) * 256.0)
    scale[[Feature.CB, Feature.CR]] = 1.0 / (256.0 * code)
    return scale
