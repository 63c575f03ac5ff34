"""Names of sound channels, as libavutil has them: which of a track's channels is the left one."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

_DEFAULTS = {
    1: ("FC",),
    2: ("FL", "FR"),
    3: ("FL", "FR", "LFE"),
    4: ("FL", "FR", "FC", "BC"),
    5: ("FL", "FR", "FC", "BL", "BR"),
    6: ("FL", "FR", "FC", "LFE", "BL", "BR"),
    7: ("FL", "FR", "FC", "LFE", "BC", "SL", "SR"),
    8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}
"""Names by the number of channels: libavutil's `av_channel_layout_default`, which the ffmpeg command goes by. It has
some for larger numbers too, but a track of 16 channels without names is rather eight pairs than one layout."""


class ChannelNames(NamedTuple):
    """What a layout's channels are called."""

    names: tuple[str, ...]
    """In order, such as ("FL", "FR"); their numbers from 0 where nothing is known."""
    assumed: bool
    """The stream counts its channels and says no more; the names are those of the usual layout of so many."""


def channel_names(layout: Any) -> ChannelNames:
    """Names of the channels of a layout.

    Args:
        layout: An `av.AudioLayout`. WAV, MXF and Matroska often say of PCM only how many channels there are.
    """
    return _named(str(layout.name), tuple(str(channel.name) for channel in layout.channels), int(layout.nb_channels))


@lru_cache(maxsize=64)
def _named(layout: str, names: tuple[str, ...], count: int) -> ChannelNames:
    if layout == f"{count} channels":
        # What libavutil prints of an unspecified order.
        if count in _DEFAULTS:
            return ChannelNames(_DEFAULTS[count], assumed=True)
    elif len(set(names)) == count and not any(not name or name.startswith(("UNK", "NONE", "USR")) for name in names):
        return ChannelNames(names, assumed=False)
    return ChannelNames(tuple(map(str, range(count))), assumed=False)
