"""JSON Lines: every event as one line, the moment it is known."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, TextIO

from gpu_qa.sinks.json_document import event_document

if TYPE_CHECKING:
    from gpu_qa.series import Event
    from gpu_qa.sinks.picture_files import PictureFile


def line(event: Event, picture: PictureFile | None = None, *, ascii_only: bool = False) -> str:
    """The event as one line of JSON without the newline; `ascii_only` for outputs that are not UTF-8."""
    return json.dumps(event_document(event, picture), ensure_ascii=ascii_only, allow_nan=False, separators=(",", ":"))


class JsonlWriter:
    """Writes events to a text stream as they come, each line flushed, until the reader has gone."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        encoding = (getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "").replace("_", "")
        self._ascii_only = encoding not in ("utf8", "utf8sig")
        self._gone = False

    @property
    def gone(self) -> bool:
        """True once the reader has closed its end (`gpu-qa … | head -1`): nothing more can be told this way."""
        return self._gone

    def write(self, event: Event, picture: PictureFile | None = None) -> bool:
        """Write one event, with its picture; false where the reader has gone, which is no error of ours.

        Raises:
            OSError: The stream cannot be written for another reason, such as a full disk.
        """
        if self._gone:
            return False
        try:
            self._stream.write(line(event, picture, ascii_only=self._ascii_only) + "\n")
            self._stream.flush()
        except BrokenPipeError:
            self._gone = True
            discard_rest(self._stream)
        return not self._gone


def discard_rest(stream: TextIO) -> None:
    """Let the interpreter's own flush at exit go nowhere instead of failing again (Python docs, signal: SIGPIPE)."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, descriptor)
    finally:
        os.close(nowhere)
