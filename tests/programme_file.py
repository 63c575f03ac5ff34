"""A programme with faults one after the other, laid out in time and coded as a file."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from tests.programme import Fault

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.programme import Programme

KINDS = {
    "black": "video.black",
    "green": "video.solid_color",
    "bars": "video.test_pattern",
    "freeze": "video.freeze",
    "stutter": "video.stutter",
    "loop": "video.loop",
    "blocks": "video.block_corruption",
    "coarse": "video.blockiness",
    "blur": "video.blur",
    "flash": "video.flash",
    "combed": "video.interlacing",
    "grey": "video.color_loss",
    "letterbox": "stream.format_change",
}
"""What is to be told of each fault that the programme can show."""
LENGTH_S = {
    "black": 2.2,
    "green": 2.2,
    "bars": 1.4,
    "freeze": 2.2,
    "stutter": 1.6,
    "loop": 2.0,
    "blocks": 0.8,
    "coarse": 2.3,
    "blur": 1.5,
    "flash": 1.2,
    "combed": 0.8,
    "grey": 1.4,
    "letterbox": 2.4,
}
"""Little longer than what its detector waits for, so that a programme is short."""
FIRST_S, BETWEEN_S = 1.6, 1.2
"""Before the first fault, and after each."""
_OPTIONS = {
    "libx264": {"preset": "ultrafast"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=none:pools=1:frame-threads=1"},
}
_CRF, _LARGE, _CRF_LARGE = 16, 720, 23
"""Quality, and that of pictures of more rows, of which the noise would cost most of the bits and of the time."""
_TICKS = 90_000
_FULL, _LIMITED, _BT709 = 2, 1, 1
"""libavutil's numbers."""


def laid_out(names: Sequence[str]) -> tuple[list[Fault], float]:
    """Faults one after the other with sound stretches between them, and the length of it all in seconds."""
    at_s, found = FIRST_S, []
    for name in names:
        found.append(Fault(name, KINDS[name], at_s, at_s + LENGTH_S[name]))
        at_s = round(at_s + LENGTH_S[name] + BETWEEN_S, 6)
    return found, at_s


def written(programme: Programme, path: Path, codec: str = "libx264") -> Path:
    """The programme as a file.

    Args:
        programme: What it shows.
        path: Where; the suffix names the container, one that can hold any timestamps.
        codec: libavcodec's name of an encoder: `libx264` or `libx265`.
    """
    form = programme.form
    pixels = "yuv420p" if form.bit_depth == 8 else "yuv420p10le"
    with av.open(str(path), "w") as out:
        quality = str(_CRF if form.height <= _LARGE else _CRF_LARGE)
        track: Any = out.add_stream(codec, rate=form.rate, options={**_OPTIONS[codec], "crf": quality})
        track.width, track.height, track.pix_fmt = form.width, form.height, pixels
        context = track.codec_context
        context.thread_count = 1
        context.gop_size = round(form.rate)
        context.time_base = Fraction(1, _TICKS)
        context.color_range = _FULL if form.color_range == "full" else _LIMITED
        context.colorspace = _BT709
        for shown in programme.frames():
            frame = av.VideoFrame(form.width, form.height, pixels)
            for plane, source in zip(frame.planes, (shown.luma, *(shown.chroma or ())), strict=True):
                codes = np.asarray(source.data)
                rows = np.zeros((plane.height, plane.line_size // codes.itemsize), codes.dtype)
                rows[:, : source.width] = codes.reshape(source.height, source.width)
                plane.update(rows.tobytes())
            frame.pts, frame.time_base = shown.pts, shown.time_base
            out.mux(track.encode(frame))
        out.mux(track.encode(None))
    return path
