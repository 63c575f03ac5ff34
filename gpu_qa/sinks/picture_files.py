"""Picture files: the picture of each event as a JPEG in a folder, for who reads events as JSON."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gpu_qa.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpu_qa.series import Event
    from gpu_qa.sinks.event_pictures import EventPictures

_READABLE = 200
"""Bytes of an event's id that its file's name has at most: names may have 255."""


class PictureFile(NamedTuple):
    """The picture of an event."""

    path: str
    shown_s: float | None
    """When the frame was shown, seconds on the stream's clock: the start of an event that is told late may be gone.
    Null of the sound, which is drawn around the start."""


class PictureFiles:
    """Writes pictures of events to a folder, one file each, and knows which events have one.

    Args:
        folder: Made where it is missing.
        complain: Takes one line where pictures cannot be written, such as on a full disk, once until one can again:
            events are worth telling without.

    Raises:
        ConfigError: The folder cannot be made, is none, or may not be written.
    """

    def __init__(self, folder: str, complain: Callable[[str], object]) -> None:
        self._folder = Path(folder)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"{folder}: cannot be made a folder: {error.strerror or error}") from error
        if not os.access(self._folder, os.W_OK | os.X_OK):
            raise ConfigError(f"{folder}: may not be written")
        self._complain = complain
        self._has_failed = False
        self._files: dict[str, PictureFile] = {}

    def write(self, event: Event, pictures: EventPictures) -> PictureFile | None:
        """The event's picture, written unless it was before; null where there is none, or it cannot be."""
        known = self._files.get(event.id)
        jpeg = pictures.of(event.id) if known is None else None
        if jpeg is None:
            return known
        path = self._folder / file_name(event.id)
        try:
            path.write_bytes(jpeg)
        except OSError as error:
            if not self._has_failed:
                self._complain(f"{path}: cannot be written: {error.strerror or error}")
            self._has_failed = True
            return None
        self._has_failed = False
        self._files[event.id] = PictureFile(str(path), pictures.shown_s.get(event.id))
        return self._files[event.id]

    def forget(self, event_id: str) -> PictureFile | None:
        """The event's picture, which nobody asks for again; the file stays."""
        return self._files.pop(event_id, None)


def file_name(event_id: str) -> str:
    """A name for the event's picture: the end of its id, readable, and a sum of the whole that sets it apart."""
    coded = re.sub(r"[^\w.]+", "-", event_id).encode("utf-8", "ignore")[-_READABLE:]
    readable = coded.decode("utf-8", "ignore").strip("-.")
    digest = hashlib.blake2s(event_id.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"{readable}-{digest}.jpg"
