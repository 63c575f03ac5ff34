"""What the services tell one another: where frames and sound lie in the object store, and what a service remembers.

Frames themselves never go this way; the payload of a workflow is limited (256 KiB with AWS Step Functions).
"""

from __future__ import annotations

import base64
import pickle
import zlib
from dataclasses import dataclass
from typing import Any, Literal

PAYLOAD_LIMIT = 262_144
"""Bytes of a state's input or output (AWS Step Functions, quotas: 256 KiB as UTF-8)."""
FrameFormat = Literal["jpeg", "raw"]


@dataclass(frozen=True, slots=True)
class StoredPart:
    """Bytes of an object."""

    key: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """A frame in the object store."""

    part: StoredPart
    encoding: FrameFormat
    start_s: float
    """On the stream's clock."""
    duration_s: float
    """Until the next frame that is stored."""
    width: int
    height: int
    chroma_size: tuple[int, int]
    """Samples of a chroma plane; (0, 0) for a grey picture."""
    bit_depth: int
    shift: int
    color_range: Literal["limited", "full"]
    sample_aspect_ratio: tuple[int, int]
    is_key: bool
    is_corrupt: bool


@dataclass(frozen=True, slots=True)
class StoredSound:
    """A run of samples in the object store: float32 [C, N], row after row."""

    part: StoredPart
    track: int
    start_s: float
    """On the stream's clock."""
    sample_rate: int
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of stream as the converter left it in the object store."""

    number: int
    until_s: float
    """Where it ends, on the stream's clock."""
    frames: tuple[StoredFrame, ...]
    sounds: tuple[StoredSound, ...]
    last: bool
    """Nothing comes after it."""

    def keys(self) -> list[str]:
        """Its objects, each once."""
        parts = [frame.part for frame in self.frames] + [sound.part for sound in self.sounds]
        return list(dict.fromkeys(part.key for part in parts))


def packed(value: Any) -> str:
    """A value as text that fits into JSON."""
    return base64.b64encode(zlib.compress(pickle.dumps(value, protocol=5), 1)).decode("ascii")


def unpacked(text: str) -> Any:
    """The value of such a text."""
    return pickle.loads(zlib.decompress(base64.b64decode(text)))  # noqa: S301 - written by this benchmark's processes
