"""Streams of a file, as planning sees them: by the facts that the file states, or by looking at the inputs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from gpu_qa.bench.formats import ALIASES
from gpu_qa.config import known_detectors
from gpu_qa.errors import ConfigError, GpuQaError
from gpu_qa.fleet.demand import PlannedStream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gpu_qa.bench.formats import Format
    from gpu_qa.media import MediaFacts
    from gpu_qa.streams import StreamEntry

_AT_ONCE = 16
"""Inputs that are looked at at the same time."""
_SOUND = ("audio", "spectrum", "sync")
"""Series that only streams with sound have."""
_FRAME_RATE = 25.0
"""Where an input states none."""


def planned_streams(
    entries: Sequence[StreamEntry],
    *,
    assume: Format | None = None,
    look: Callable[[StreamEntry], MediaFacts] | None = None,
) -> tuple[PlannedStream, ...]:
    """What is known of the streams.

    Args:
        entries: The streams of a file.
        assume: What counts for streams whose format is not wholly stated; null looks at their inputs.
        look: Opens an input and says what is in it; null opens it as an analysis would.

    Raises:
        ConfigError: An input has to be looked at and cannot be opened, or has no picture.
    """
    missing = [entry for entry in entries if assume is None and not _stated(entry)]
    facts: dict[str, MediaFacts | ConfigError] = {}
    if missing:
        with ThreadPoolExecutor(min(_AT_ONCE, len(missing)), thread_name_prefix="gpu-qa look") as pool:
            looked = pool.map(lambda entry: _looked(entry, look or look_at), missing)
            facts = dict(zip((entry.name for entry in missing), looked, strict=True))
    referred = {entry.reference for entry in entries}
    planned = (_planned(entry, assume, facts.get(entry.name)) for entry in entries)
    return tuple(replace(one, reference=one.name) if one.name in referred else one for one in planned)


def look_at(entry: StreamEntry) -> MediaFacts:
    """Open an input and say what is in it.

    Raises:
        SourceError: It cannot be opened.
    """
    from gpu_qa.sources import open_source

    with open_source(entry.input, entry.settings.source) as source:
        return source.facts


def _stated(entry: StreamEntry) -> bool:
    return None not in (entry.codec, entry.width, entry.height, entry.frame_rate)


def _looked(entry: StreamEntry, look: Callable[[StreamEntry], MediaFacts]) -> MediaFacts | ConfigError:
    try:
        facts = look(entry)
    except GpuQaError as error:
        reason = str(error)
    else:
        if any(track.kind == "video" for track in facts.tracks):
            return facts
        reason = "has no picture"
    return ConfigError(
        f"{entry.name}: {reason}; to plan without its input, state codec, width, height and frame_rate in the file, or "
        "give --assume h264:1080p25"
    )


def _planned(entry: StreamEntry, assume: Format | None, facts: MediaFacts | ConfigError | None) -> PlannedStream:
    if isinstance(facts, ConfigError):
        raise facts
    video = next((track for track in facts.tracks if track.kind == "video"), None) if facts else None
    codec = entry.codec or (video.codec if video else None) or (assume.codec if assume else None)
    width = entry.width or (video.width if video else None) or (assume.width if assume else None)
    height = entry.height or (video.height if video else None) or (assume.height if assume else None)
    stated_rate = entry.frame_rate or (video.frame_rate if video else None) or (assume.frame_rate if assume else None)
    if codec is None or width is None or height is None:
        raise ConfigError(f"{entry.name}: codec or size of its picture are not known; state them in the file")
    sounds = entry.settings.source.audio_tracks
    found = sum(track.kind == "audio" for track in facts.tracks) if facts else None
    tracks = len(sounds) if isinstance(sounds, tuple) else 1
    known = known_detectors()
    sound_tracks = tracks if found is None else found
    return PlannedStream(
        name=entry.name,
        codec=ALIASES.get(codec, codec),
        width=width,
        height=height,
        frame_rate=float(stated_rate) if stated_rate else _FRAME_RATE,
        detectors=tuple(
            name for name in entry.settings.detectors if sound_tracks or known[name].consumes not in _SOUND
        ),
        sound_tracks=sound_tracks,
        bit_depth=_bit_depth(video.pixel_format if video else None),
        decoder_threads=max(1, entry.settings.decode.threads),
        reference=entry.reference,
    )


def _bit_depth(pixel_format: str | None) -> int:
    """Bits of a luma sample; 8 where the format is not known."""
    if pixel_format is None:
        return 8
    import av

    try:
        return av.VideoFormat(pixel_format).components[0].bits
    except (ValueError, IndexError):
        return 8
