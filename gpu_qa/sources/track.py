"""Which elementary streams of a container are analyzed, and what is said of the others."""

from __future__ import annotations

import logging
import re
import threading
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
from av.stream import Disposition

from gpu_qa.channels import channel_names
from gpu_qa.errors import SourceError
from gpu_qa.media import Track

if TYPE_CHECKING:
    from collections.abc import Sequence

    from av.container import InputContainer

    from gpu_qa.sources.settings import SourceSettings

_PROGRAM_LINE = re.compile(r"^ +Program (\d+)\b")
_STREAM_LINE = re.compile(r"^ +Stream #\d+:(\d+)")
_DURATION_TAG = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)$")
_VARIANT_FORMATS = ("hls",)
"""Formats whose programmes are the same content at several qualities."""
_PROGRAM_FORMATS = ("mpegts", "hls")

# What other threads' decoders have to say in that moment goes to the logger `libav`, and nowhere else.
logging.getLogger("libav").addHandler(logging.NullHandler())
# PyAV's log level is the process's, so only one thread at a time may turn it up for a moment.
_log_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Program:
    """A programme of a transport stream, or a variant of a playlist."""

    number: int
    indices: frozenset[int]
    """Its elementary streams."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The outcome of a choice of tracks."""

    tracks: tuple[Track, ...]
    ignored: tuple[str, ...]


def programs_of(container: InputContainer) -> tuple[Program, ...]:
    """The programmes of a container in its own order; empty where the format has none.

    PyAV does not show them but in the text of `dumps_format`, and that only while its log is on: for the fraction of a
    millisecond that this takes, and into a list of its own.
    """
    with _log_lock:
        level = av.logging.get_level()
        av.logging.set_level(av.logging.INFO)
        try:
            text: str = container.dumps_format()  # type: ignore[attr-defined]
        finally:
            av.logging.set_level(level)
    programs: list[Program] = []
    number: int | None = None
    indices: list[int] = []
    for line in [*text.splitlines(), "  Program -1"]:
        program, stream = _PROGRAM_LINE.match(line), _STREAM_LINE.match(line)
        if stream and number is not None:
            indices.append(int(stream[1]))
        elif program or line.strip() == "Program -1" or line.startswith("  No Program"):
            if number is not None:
                programs.append(Program(number, frozenset(indices)))
            number, indices = (int(program[1]) if program else None), []
    return tuple(programs)


def choose_tracks(container: InputContainer, settings: SourceSettings, name: str, *, live: bool) -> Choice:
    """Choose at most one video track and its audio tracks, by the settings or the first of each.

    Raises:
        SourceError: A chosen track or programme does not exist, or there is neither picture nor sound.
    """
    streams: list[Any] = list(container.streams)
    reasons = {s.index: reason for s in streams if (reason := _unusable(s))}
    videos: list[Any] = [s for s in streams if s.type == "video" and s.index not in reasons]
    audios: list[Any] = [s for s in streams if s.type == "audio" and s.index not in reasons]

    programs: tuple[Program, ...] = ()
    format_name = container.format.name
    several = len(videos) > 1 or (len(audios) > 1 and settings.audio_tracks == "all")
    if format_name in _PROGRAM_FORMATS and (several or settings.program is not None):
        programs = programs_of(container)
    explicit = frozenset(settings.audio_tracks) if isinstance(settings.audio_tracks, tuple) else frozenset()
    video = _asked_for(settings.video_track, videos, "video", name)
    missing = sorted(explicit - {s.index for s in audios})
    if missing:
        raise _no_track(missing[0], audios, "audio", name)
    program = _program(programs, settings, format_name, videos, audios, video, name)

    if program is not None:
        for stream in (*videos, *audios):
            if stream.index not in program.indices and stream is not video and stream.index not in explicit:
                others = [str(p.number) for p in programs if stream.index in p.indices]
                reasons[stream.index] = f"of programme {', '.join(others) or 'none'}; analyzed is {program.number}"
        videos = [s for s in videos if s.index not in reasons]
        audios = [s for s in audios if s.index not in reasons]

    if video is None and videos:
        # One whose size the probe has found is really there; a service may announce pictures that it never sends.
        video = next((s for s in videos if s.codec_context.width), videos[0])
    if isinstance(settings.audio_tracks, tuple):
        chosen = [s for s in audios if s.index in explicit]
    else:
        chosen = audios if settings.audio_tracks == "all" else audios[:1]
    kept = [*([video] if video else []), *chosen]
    for stream in (*videos, *audios):
        if stream not in kept:
            what = "audio_tracks" if stream.type == "audio" else "video_track"
            reasons.setdefault(stream.index, f"not chosen (setting `{what}`)")
    ignored = tuple(f"{_describe(s)}: {reasons[s.index]}" for s in streams if s.index in reasons)
    if not kept:
        what = "; ".join(ignored) or "it holds no tracks"
        raise SourceError(f"{name} has neither picture nor sound to analyze ({what}).")
    return Choice(tuple(track_of(s, live=live) for s in kept), ignored)


def _asked_for(index: int | None, candidates: Sequence[Any], kind: str, name: str) -> Any:
    if index is None:
        return None
    found = next((s for s in candidates if s.index == index), None)
    if found is None:
        raise _no_track(index, candidates, kind, name)
    return found


def _no_track(index: int, candidates: Sequence[Any], kind: str, name: str) -> SourceError:
    there = ", ".join(str(s.index) for s in candidates) or "none"
    return SourceError(f"{name} has no {kind} track {index}. Its {kind} tracks: {there}.")


def _program(
    programs: tuple[Program, ...],
    settings: SourceSettings,
    format_name: str,
    videos: Sequence[Any],
    audios: Sequence[Any],
    video: Any,
    name: str,
) -> Program | None:
    if settings.program is not None:
        found = next((p for p in programs if p.number == settings.program), None)
        if found is None:
            there = ", ".join(str(p.number) for p in programs) or "none"
            raise SourceError(f"{name} has no programme {settings.program}. Its programmes: {there}.")
        return found
    if video is not None:
        return next((p for p in programs if video.index in p.indices), None)

    def rank(program: Program) -> tuple[int, ...]:
        pictures = [s for s in videos if s.index in program.indices]
        sounds = any(s.index in program.indices for s in audios)
        usable = 2 * any(s.codec_context.width for s in pictures) + bool(pictures)
        order: tuple[int, ...] = (int(bool(pictures and sounds)), usable, int(sounds))
        if format_name in _VARIANT_FORMATS and pictures:
            context = pictures[0].codec_context
            order += (context.width * context.height, int(pictures[0].metadata.get("variant_bitrate", 0)))
        return order

    # `max` keeps the first of equals.
    return max(programs, key=rank, default=None)


def _unusable(stream: Any) -> str | None:
    """Why a stream cannot be analyzed at all; null where it can."""
    if stream.type == "subtitle":
        return "subtitles are not analyzed"
    if stream.type not in ("video", "audio"):
        return "no picture and no sound"
    if stream.type == "video" and stream.disposition & Disposition.attached_pic:
        return "an attached picture (cover art), not moving pictures"
    if stream.codec_context is None:
        return "no decoder for it in this build of PyAV"
    return None


def stated_duration_s(stream: Any) -> float | None:
    """What Matroska's muxers write into a track's tags as `01:02:03.456000000`; null where there is none."""
    match = _DURATION_TAG.match(stream.metadata.get("DURATION", ""))
    if match is None:
        return None
    return int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3])


def _tag(stream: Any) -> str:
    tag: str = getattr(stream, "codec_tag", "").strip("\0 ")
    # Numbers in place of letters come as `[6][0][0][0]`.
    return tag if tag.isprintable() and "[" not in tag else ""


def _describe(stream: Any) -> str:
    codec = stream.codec_context.codec.canonical_name if stream.codec_context is not None else _tag(stream)
    label = f"{stream.type} {codec}".strip()
    language = f" ({stream.language})" if stream.language not in (None, "und") else ""
    return f"track {stream.index} {label}{language}"


def track_of(stream: Any, *, live: bool, index: int | None = None) -> Track:
    """What a container says of a stream. `index` is its number where several containers make up one input."""
    context = stream.codec_context
    time_base = Fraction(stream.time_base)
    duration_s = None
    if not live and stream.duration and stream.duration > 0:
        duration_s = float(stream.duration * time_base)
    common: dict[str, Any] = {
        "index": stream.index if index is None else index,
        "kind": stream.type,
        "codec": context.codec.canonical_name,
        "time_base": time_base,
        "language": stream.language if stream.language != "und" else None,
        "duration_s": duration_s,
        "bit_rate": context.bit_rate or None,
        "native": stream,
    }
    if stream.type == "video":
        rate = stream.average_rate or stream.guessed_rate
        return Track(
            **common,
            width=context.width or None,
            height=context.height or None,
            frame_rate=Fraction(rate) if rate else None,
            pixel_format=context.pix_fmt,
        )
    channels = channel_names(context.layout)
    return Track(
        **common,
        sample_rate=context.sample_rate or None,
        channels=channels.names,
        channels_assumed=channels.assumed,
    )
