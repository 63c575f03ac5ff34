"""Cause table: what explains what, by the names of events."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_NO_PICTURE = ("video.black", "video.solid_color", "video.test_pattern")
_NO_SOUND = ("audio.silence", "audio.missing")
_DISTORTION = ("audio.distortion:wrap", "audio.distortion:levels")
_SCOPED = ("audio.distortion", "stream.decode_error", "stream.gap")
"""Kinds of which causes and consequences depend on the scope: a name is the kind and the last part of the scope."""

CAUSES: Mapping[str, tuple[str, ...]] = {
    "video.freeze": _NO_PICTURE,
    "video.color_loss": (*_NO_PICTURE, "video.flash"),
    "video.block_corruption": (*_NO_PICTURE, "video.flash"),
    "video.blockiness": (*_NO_PICTURE, "video.block_corruption", "video.flash"),
    "video.blur": (*_NO_PICTURE, "video.freeze", "video.block_corruption", "video.blockiness", "video.flash"),
    "video.stutter": (
        *_NO_PICTURE,
        "video.freeze",
        "video.loop",
        "video.flash",
        "video.block_corruption",
        "stream.gap:video",
        "stream.overload",
    ),
    "video.loop": (*_NO_PICTURE, "video.freeze", "video.flash"),
    "video.interlacing": (*_NO_PICTURE, "video.block_corruption", "video.flash"),
    "audio.channel_loss": _NO_SOUND,
    "audio.phase_inversion": (*_NO_SOUND, "audio.channel_loss"),
    "audio.dual_mono": (*_NO_SOUND, "audio.channel_loss"),
    "audio.dc_offset": ("audio.stuck", "audio.clipping", "audio.distortion:wrap"),
    "audio.missing": ("stream.gap:video",),
    "audio.clipping": ("audio.stuck", "audio.distortion:wrap"),
    "audio.distortion:wrap": ("audio.stuck",),
    "audio.distortion:levels": ("audio.clipping", "audio.stuck"),
    "audio.dropout": (*_NO_SOUND, "audio.stuck", *_DISTORTION),
    "audio.click": (*_NO_SOUND, "audio.stuck", "audio.dropout", "audio.clipping", *_DISTORTION),
    "audio.hum": (*_NO_SOUND, "audio.stuck", *_DISTORTION),
    "audio.hiss": (*_NO_SOUND, "audio.stuck", *_DISTORTION, "audio.clipping"),
    "audio.true_peak": ("audio.clipping", *_DISTORTION),
    "stream.frame_loss": (
        "video.freeze",
        "video.stutter",
        "video.block_corruption",
        "stream.gap:video",
        "stream.decode_error:video",
        "stream.overload",
    ),
    "stream.gap:audio": ("stream.gap:video",),
    "stream.decode_error:video": ("video.block_corruption",),
}
"""Name of an event → those that explain it, of the picture or of the same channels of the same audio track. A name is
the event's kind, with the last part of its scope where that matters."""

APART = frozenset({"audio.missing", "stream.gap:audio", "stream.decode_error:video"})
"""What another track explains: how far the evidence of its own has come says nothing of the other's, so that is waited
for; and what is told for information only hides none of it."""

EXPLAINING = frozenset(cause for causes in CAUSES.values() for cause in causes)
"""What explains something."""
CONCERNED = EXPLAINING | frozenset(CAUSES)
"""What explains something or may be explained."""


@lru_cache(maxsize=256)
def event_name(kind: str, scope: str) -> str:
    """As in `CAUSES`."""
    return f"{kind}:{scope.rpartition(':')[2]}" if kind in _SCOPED else kind


@lru_cache(maxsize=256)
def audio_track(kind: str, scope: str) -> str:
    """The audio track that an event speaks of; "" for all other kinds."""
    return scope.partition(":")[0] if kind.startswith("audio.") else ""
