"""Rates: how much of a card's NVDEC a stream takes, by the vendor's table (`nvdec_rates.toml`)."""

from __future__ import annotations

import functools
import re
import tomllib
from dataclasses import dataclass
from fractions import Fraction
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gpu_qa.media import Track

__all__ = ["ASSUMED_RATE", "Card", "Rates", "card_named", "cards", "decode_load", "streams_per_card"]

ASSUMED_RATE = Fraction(30)
"""Pictures per second of a stream that does not state its own."""
_BLOCK = 16
"""Side of a macroblock: decoding takes whole ones."""
_BLOCKS_1080P = 120 * 68
_HIGH_DEPTH = re.compile(r"(?:p0?|gray|p2|p4)1[0-6](?:le|be)?$")
"""Pixel formats of more than 8 bits."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Pictures of 1920×1080 that one engine decodes per second."""

    h264: float
    hevc: float
    hevc_10bit: float
    """HEVC Main 10."""

    def of(self, codec: str, bit_depth: int) -> float:
        """The rate of a codec by libavcodec's name; of one that the table does not have, the slowest."""
        if codec == "hevc":
            return self.hevc if bit_depth == 8 else self.hevc_10bit
        return self.h264


@dataclass(frozen=True, slots=True)
class Card:
    """A kind of card."""

    name: str
    """As it appears in the driver's name for the card."""
    generation: str
    """Of its NVDEC engines, which may be older than the rest of it."""
    engines: int
    rates: Rates


@functools.cache
def cards() -> tuple[Card, ...]:
    """The cards of the table."""
    table = tomllib.loads(resources.files("gpu_qa.decode").joinpath("nvdec_rates.toml").read_text(encoding="utf-8"))
    rates = {name: Rates(**values) for name, values in table["rates"].items()}
    return tuple(Card(**one, rates=rates[one["generation"]]) for one in table["cards"])


def card_named(name: str) -> Card | None:
    """The card that a driver or a price list calls by this name, such as `NVIDIA L40S`; null where it is not known."""
    return _best(card for card in cards() if re.search(rf"(?<![A-Za-z0-9]){re.escape(card.name)}(?![A-Za-z0-9])", name))


def decode_load(track: Track, card: Card) -> float:
    """Fraction of a card's NVDEC that a video track takes in real time; 1 is all of it.

    Pictures per second, times their size beside 1920×1080 in macroblocks, beside what all engines decode. Above
    1 / `card.engines` one stream is too much for the one engine that it runs on.
    """
    rate = track.frame_rate or ASSUMED_RATE
    depth = 10 if track.pixel_format and _HIGH_DEPTH.search(track.pixel_format) else 8
    blocks = -(-(track.width or 1920) // _BLOCK) * -(-(track.height or 1080) // _BLOCK)
    return float(rate) * blocks / _BLOCKS_1080P / (card.engines * card.rates.of(track.codec, depth))


def streams_per_card(
    card: Card, codec: str = "h264", frame_rate: float = 30.0, bit_depth: int = 8, share: float = 1.0
) -> int:
    """How many 1920×1080 streams a card's NVDEC decodes in real time.

    Args:
        card: The card.
        codec: libavcodec's name.
        frame_rate: Pictures per second.
        bit_depth: Of their samples.
        share: Of the published rate that is counted on; 1 leaves nothing over.
    """
    return int(card.engines * card.rates.of(codec, bit_depth) * share / frame_rate)


def _best(found: Iterable[Card]) -> Card | None:
    return max(found, key=lambda card: len(card.name), default=None)
