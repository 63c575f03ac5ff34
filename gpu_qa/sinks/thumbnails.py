"""Thumbnails: the picture at which an event began, as a small colour JPEG.

An event is told seconds after it began, so the small pictures of the last seconds are kept: four per second, and the
first of each quarter second that the decoder calls damaged, in a ring of fixed size.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np

if TYPE_CHECKING:
    from gpu_qa.series import Event, VideoSeries

MAX_THUMBNAILS = 200
MAX_JPEG_BYTES = 20_000

_RING_PICTURES = 12
"""At 73 kB each, 0.9 MB for each stream: 2.75 s or more. Pictures that stand still, are black or of one colour are
told after two, and half a second of pictures is judged at once."""
_PICTURES_PER_S = 4
"""So that there is one within `NEAR_S` of any start."""
NEAR_S = 0.35
"""A picture this soon after an event's start shows it: a quarter second and an interval of 10 pictures per second. A
later one may be what came after a gap."""
_QUALITY_STEPS = (3, 5, 8, 12, 18, 31)
"""Quantiser scales of libavcodec's mjpeg encoder (2 is best, 31 worst), tried until the picture is small enough."""
_HEIGHT = 192
_MAX_WIDTH = 384

# Red, green and blue from Y′, Cb, Cr (Cb, Cr in −0.5…0.5): ITU-R BT.709-6, item 3, and BT.601-7, 2.5.
_BT709 = np.array([[1, 0, 1.5748], [1, -0.1873, -0.4681], [1, 1.8556, 0]], np.float32)
_BT601 = np.array([[1, 0, 1.402], [1, -0.3441, -0.7141], [1, 1.772, 0]], np.float32)
_BT601_NAMES = frozenset({"smpte170m", "bt470bg", "bt601", "fcc"})


@dataclass(frozen=True, slots=True)
class _Picture:
    pts_s: float
    luma: np.ndarray
    """uint8 [192, 336] codes."""
    chroma: np.ndarray
    """uint8 [2, 48, 84] codes: colour is seen less sharply."""
    black_code: float
    white_code: float
    display_aspect_ratio: float
    color_space: str | None


class ThumbnailRecorder:
    """Keeps the last seconds of small pictures and the thumbnails of the first events of one stream."""

    def __init__(self, max_thumbnails: int = MAX_THUMBNAILS) -> None:
        self._max_thumbnails = max_thumbnails
        self._ring: deque[_Picture] = deque(maxlen=_RING_PICTURES)
        self._slots: dict[bool, int | None] = {False: None, True: None}
        """Damaged or not → the last quarter second from which such a picture was kept."""
        self.thumbnails: dict[str, bytes] = {}
        """Event id → JPEG."""
        self.shown_s: dict[str, float] = {}
        """Event id → when that picture was shown, in seconds."""

    def add(self, series: VideoSeries, color_space: str | None = None) -> None:
        """Take the next frames.

        Args:
            series: Frames in order; any cut into series keeps the same pictures.
            color_space: Matrix coefficients as `VideoFormat` has them; null is taken for BT.709.
        """
        if len(self.thumbnails) >= self._max_thumbnails:
            self._ring.clear()
            return
        for i, (pts_s, corrupt) in enumerate(zip(series.pts_s.tolist(), series.is_corrupt.tolist(), strict=True)):
            if not math.isfinite(pts_s):
                continue
            slot = math.floor(pts_s * _PICTURES_PER_S)
            if slot == self._slots[corrupt]:
                continue
            self._slots[corrupt] = slot
            self._ring.append(
                _Picture(
                    pts_s,
                    _codes(series.small[i]),
                    _codes(series.small_chroma[i, :, ::2, ::2]),
                    series.black_code,
                    series.white_code,
                    series.display_aspect_ratio,
                    color_space,
                )
            )

    def capture(self, event: Event) -> bool:
        """Keep the picture where the event began, once per event; to be called when the event opens.

        Returns:
            True where the event has a thumbnail now; false without a picture or with as many thumbnails as may be.
        """
        if event.id in self.thumbnails:
            return True
        if not self._ring or len(self.thumbnails) >= self._max_thumbnails:
            return False
        picture = self._picture_at(event.start_s)
        self.thumbnails[event.id], self.shown_s[event.id] = _jpeg(picture), picture.pts_s
        return True

    def _picture_at(self, start_s: float) -> _Picture:
        """The first picture from `start_s` on if it is near, else the nearest (before a gap: the last one)."""
        following = [picture for picture in self._ring if picture.pts_s >= start_s - 1e-6]
        if following:
            first = min(following, key=lambda picture: picture.pts_s)
            if first.pts_s - start_s <= NEAR_S:
                return first
        return min(self._ring, key=lambda picture: abs(picture.pts_s - start_s))


def _codes(small: np.ndarray) -> np.ndarray:
    """Codes, uint8, of a small picture in 1/256 of a code, uint16: its upper bytes, copied."""
    return np.asarray(np.right_shift(small, 8, out=np.empty(small.shape, np.uint8), casting="unsafe"))


def _jpeg(picture: _Picture) -> bytes:
    """The picture in the shape it is shown in, at the best quality that stays within `MAX_JPEG_BYTES`."""
    width, height = _shape(picture.display_aspect_ratio)
    frame = av.VideoFrame.from_ndarray(_rgb(picture), format="rgb24")
    # JPEG (JFIF) is full range and BT.601, which is what libswscale makes of RGB for this format.
    frame = frame.reformat(width=width, height=height, format="yuvj420p", interpolation="BICUBIC")
    jpeg = b""
    for quality in _QUALITY_STEPS:
        encoder = av.CodecContext.create("mjpeg", "w")
        encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
        encoder.time_base = Fraction(1, 25)
        encoder.thread_count = 1  # starting one per core takes longer than the picture
        encoder.options = {"qmin": str(quality), "qmax": str(quality)}
        jpeg = b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])
        if len(jpeg) <= MAX_JPEG_BYTES:
            break
    return jpeg


def _shape(display_aspect_ratio: float) -> tuple[int, int]:
    """Even width and height: 192 rows, fewer where the picture would be wider than 384 samples."""
    ratio = display_aspect_ratio if 0.05 < display_aspect_ratio < 20 else 16 / 9
    width = min(_HEIGHT * ratio, _MAX_WIDTH)
    return max(2, 2 * round(width / 2)), max(2, 2 * round(width / ratio / 2))


def _rgb(picture: _Picture) -> np.ndarray:
    """The picture as uint8 [192, 336, 3] red, green, blue at full range."""
    span = picture.white_code - picture.black_code
    # Chroma spans 224 codes where luma spans 219 (BT.709-6, item 6.4), 255 in full range.
    chroma_span = span * 224 / 219 if picture.black_code else span
    luma = (picture.luma.astype(np.float32) - picture.black_code) / span
    chroma = (picture.chroma.astype(np.float32) - 128) / chroma_span
    chroma = chroma.repeat(4, axis=1).repeat(4, axis=2)
    matrix = _BT601 if picture.color_space in _BT601_NAMES else _BT709
    rgb = np.einsum("kc,chw->hwk", matrix, np.stack((luma, chroma[0], chroma[1])))
    return np.asarray((rgb.clip(0, 1) * 255 + 0.5).astype(np.uint8))
