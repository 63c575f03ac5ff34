"""Luminance: the light that a display makes of code values, in cd/m², by transfer and colour space.

Red, green and blue are each in units in which equal values are white of that luminance.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from gpu_qa.series import VideoSeries

_STEPS = 4096
_LOW, _HIGH = -0.1, 1.2
"""Signal range of the tables: limited range reaches from −0.07 to 1.09 (ITU-R BT.709-6, item 4.6)."""

_LUMA = {
    "bt709": (0.2126, 0.0722),
    "smpte170m": (0.299, 0.114),
    "bt470bg": (0.299, 0.114),
    "fcc": (0.30, 0.11),
    "smpte240m": (0.212, 0.087),
    "bt2020nc": (0.2627, 0.0593),
    "bt2020c": (0.2627, 0.0593),
}
"""Share of red and of blue in luma (ITU-T H.273, table 4); what is not listed, or not said, is taken for BT.709."""
_TO_XYZ_709 = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
_TO_XYZ_2020 = ((0.6370, 0.1446, 0.1689), (0.2627, 0.6780, 0.0593), (0.0, 0.0281, 1.0610))
"""Linear red, green and blue to CIE 1931 XYZ: primaries of ITU-R BT.709-6 and BT.2020-2, white D65."""
_HLG_PEAK = 1000.0
_HLG_GAMMA = 1.2
"""Nominal peak in cd/m² and system gamma of a reference display for HLG (ITU-R BT.2100-2, table 5)."""


def light(luma: np.ndarray, chroma: np.ndarray, series: VideoSeries, white: float) -> np.ndarray:
    """Red, green and blue light of colours as a reference display shows them.

    Args:
        luma: float32 [T, N]: fractions of full scale, as in a series.
        chroma: float32 [T, 2, N]: Cb and Cr as in a series.
        series: Says by which transfer and matrix they are to be read.
        white: Luminance of white of a display for SDR, in cd/m²; PQ and HLG have their own.

    Returns:
        float32 [3, T, N], cd/m².
    """
    kr, kb = _LUMA.get(series.color_space or "", _LUMA["bt709"])
    signal = np.empty((3, *luma.shape), np.float32)
    cb, cr = chroma[:, 0], chroma[:, 1]
    scale = 2 * chroma_scale(series)
    np.multiply(cr, np.float32(scale * (1 - kr)), out=signal[0])
    signal[0] += luma
    np.multiply(cb, np.float32(scale * (1 - kb)), out=signal[2])
    signal[2] += luma
    np.subtract(luma, np.float32(kr) * signal[0], out=signal[1])
    signal[1] -= np.float32(kb) * signal[2]
    signal[1] /= np.float32(1 - kr - kb)
    signal -= np.float32(_LOW)
    signal *= np.float32(_STEPS / (_HIGH - _LOW))
    linear = _table(series.transfer, white).take(signal.astype(np.intp), mode="clip")
    if series.transfer == "hlg":
        scene = luminance(linear, series)
        linear *= _HLG_PEAK * np.power(scene, np.float32(_HLG_GAMMA - 1.0))
    return np.asarray(linear)


def chroma_scale(series: VideoSeries) -> float:
    """What makes fractions of their nominal range of a series' Cb and Cr, which are fractions of all codes.

    They have 224 of 256 codes in limited range (ITU-R BT.709-6, item 4.6).
    """
    return 256.0 / (224.0 if series.black_code else 255.0)


def luminance(linear: np.ndarray, series: VideoSeries) -> np.ndarray:
    """Luminance of light as `light` gives it, float32 [T, N], in its unit."""
    red, green, blue = (np.float32(share) for share in _to_xyz(series)[1])
    bright = red * linear[0]
    bright += green * linear[1]
    bright += blue * linear[2]
    return np.asarray(bright)


def chromaticity(linear: np.ndarray, series: VideoSeries) -> tuple[np.ndarray, np.ndarray]:
    """u′ and v′ of the CIE 1976 diagram, float32 [T, N] each; black has those of white."""
    x, y, z = np.tensordot(np.array(_to_xyz(series), np.float32), linear, 1)
    whole = x + 15 * y + 3 * z
    dark = whole <= 1e-6
    whole[dark] = 1.0
    u, v = 4 * x / whole, 9 * y / whole
    u[dark], v[dark] = 0.1978, 0.4683
    return u, v


def _to_xyz(series: VideoSeries) -> tuple[tuple[float, ...], ...]:
    wide = series.transfer != "sdr" or (series.color_space or "").startswith("bt2020")
    return _TO_XYZ_2020 if wide else _TO_XYZ_709


@lru_cache(maxsize=8)
def _table(transfer: str, white: float) -> np.ndarray:
    """What signal values are as light: cd/m² for SDR and PQ, relative scene light for HLG; float32 [_STEPS]."""
    value = np.clip(_LOW + (np.arange(_STEPS) + 0.5) * (_HIGH - _LOW) / _STEPS, 0.0, None)
    if transfer == "pq":
        # ITU-R BT.2100-2, table 4: EOTF of PQ.
        root = np.minimum(value, 1.0) ** (1 / 78.84375)
        linear = 1e4 * (np.maximum(root - 0.8359375, 0.0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125)
    elif transfer == "hlg":
        # ITU-R BT.2100-2, table 5: inverse OETF of HLG.
        linear = np.where(value <= 0.5, value**2 / 3, (np.exp((value - 0.55991073) / 0.17883277) + 0.28466892) / 12)
    else:
        # ITU-R BT.1886, annex 1, with a black of 0.
        linear = white * value**2.4
    table = linear.astype(np.float32)
    table.setflags(write=False)
    return table
