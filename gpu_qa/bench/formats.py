"""Formats of streams, as the command line names them: `h264:1080p25`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from gpu_qa.errors import ConfigError

_SPELLED = re.compile(r"(?P<codec>[a-z0-9]+):(?:(?P<width>\d+)x)?(?P<height>\d+)p(?P<rate>\d+(?:\.\d+)?)")
ALIASES = {"avc": "h264", "h265": "hevc", "libdav1d": "av1", "mpeg2": "mpeg2video"}
"""Other names of codecs → libavcodec's."""


@dataclass(frozen=True, slots=True)
class Format:
    """Codec, size and rate of a stream's pictures."""

    codec: str
    """libavcodec's name."""
    width: int
    height: int
    frame_rate: Fraction
    """Pictures per second."""

    def __str__(self) -> str:
        return f"{self.codec}:{self.width}x{self.height}p{float(self.frame_rate):g}"


def parse_format(text: str) -> Format:
    """A format from `CODEC:HEIGHTpRATE`, 16:9, or `CODEC:WIDTHxHEIGHTpRATE`.

    Raises:
        ConfigError: It is not spelled so, or a number is 0.
    """
    found = _SPELLED.fullmatch(text.strip().lower())
    if found is None:
        raise ConfigError(f"{text!r} is no format: write CODEC:HEIGHTpRATE, such as h264:1080p25 or hevc:3840x2160p50")
    height, rate = int(found["height"]), Fraction(found["rate"])
    width = int(found["width"]) if found["width"] else round(height * 16 / 9 / 2) * 2
    if not (width > 0 and height > 0 and rate > 0):
        raise ConfigError(f"{text!r} is no format: size and rate must be more than 0")
    return Format(ALIASES.get(found["codec"], found["codec"]), width, height, rate)


def parse_formats(text: str) -> tuple[Format, ...]:
    """Formats with commas between them, each once.

    Raises:
        ConfigError: One is not spelled as `parse_format` wants it, or there is none.
    """
    found = tuple(dict.fromkeys(parse_format(part) for part in text.split(",") if part.strip()))
    if not found:
        raise ConfigError("no format is given: write CODEC:HEIGHTpRATE, such as h264:1080p25")
    return found
