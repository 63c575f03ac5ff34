"""Picture files: the picture of each event as a JPEG in a folder, for who reads events as JSON."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from gpu_qa.errors import ConfigError, OutputError

if TYPE_CHECKING:
    from gpu_qa.series import Event

_READABLE = 100
"""Characters of an event's id that its file's name has at most."""


class PictureFiles:
    """Writes pictures of events to a folder, one file each, and knows which events have one.

    Args:
        folder: Made where it is missing.

    Raises:
        ConfigError: It cannot be made, is no folder, or may not be written.
    """

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"{folder}: cannot be made a folder: {error.strerror or error}") from error
        if not os.access(self._folder, os.W_OK | os.X_OK):
            raise ConfigError(f"{folder}: may not be written")
        self.paths: dict[str, str] = {}
        """Event id → its file."""

    def write(self, event: Event, jpeg: bytes) -> None:
        """Write the picture of an event, unless it was written before.

        Raises:
            OutputError: It cannot be written, such as on a full disk.
        """
        if event.id in self.paths:
            return
        path = self._folder / file_name(event.id)
        try:
            path.write_bytes(jpeg)
        except OSError as error:
            raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error
        self.paths[event.id] = str(path)

    def forget(self, event_id: str) -> None:
        """Nobody asks for the event's file again; it stays."""
        self.paths.pop(event_id, None)


def file_name(event_id: str) -> str:
    """A name for the event's picture: the end of its id, readable, and a sum of the whole that sets it apart."""
    readable = re.sub(r"[^\w.]+", "-", event_id)[-_READABLE:].strip("-.")
    digest = hashlib.blake2s(event_id.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"{readable}-{digest}.jpg"
