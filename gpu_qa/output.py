"""Where results go: the formats of `gpu-qa analyze`, written to a stream, or to a file that appears whole."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Literal, TextIO, TypeVar

from gpu_qa.errors import ConfigError, OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import Console

    from gpu_qa.series import Event, Report
    from gpu_qa.sinks.phrases import Outcome
    from gpu_qa.sinks.picture_files import PictureFile

Format = Literal["table", "json", "jsonl"]

_T = TypeVar("_T")

_PIPED_COLUMNS = 120
"""Width of a table that no terminal limits: enough for a column per quantity."""


class Output:
    """Writes results in one format as they become known.

    Args:
        stream: Where to. Once its reader has gone (`gpu-qa … | head -1`), nothing more is written and `gone` is true.
        output_format: `table` and `json` write each input when it has ended, `jsonl` each event at once.
    """

    def __init__(self, stream: TextIO, output_format: Format) -> None:
        from gpu_qa.sinks.jsonl import JsonlWriter

        self._stream = stream
        name = str(getattr(stream, "name", "<"))
        self._name = "standard output" if name.startswith("<") else name
        self._format = output_format
        self._lines = JsonlWriter(stream)
        self._gone = False
        self._written = 0

    @property
    def gone(self) -> bool:
        """True once nobody reads any more, which is no error of ours."""
        return self._gone or self._lines.gone

    def event(self, event: Event, picture: PictureFile | None = None) -> None:
        """An event has opened, become worse, or closed.

        Args:
            event: As it is now.
            picture: Its picture in a file.

        Raises:
            OutputError: The stream cannot be written, such as on a full disk.
        """
        if self._format == "jsonl":
            with self._while_read():
                self._lines.write(event, picture)

    def report(self, report: Report, pictures: Mapping[str, PictureFile] | None = None) -> None:
        """An input has ended.

        Args:
            report: What is known of it.
            pictures: Event id → its picture.

        Raises:
            OutputError: The stream cannot be written, such as on a full disk.
        """
        if self._format == "jsonl" or self._gone:
            return
        with self._while_read():
            if self._format == "json":
                self._write_json(report, pictures)
            else:
                self._write_table(report)
            self._stream.flush()
        self._written += 1

    def total(self, outcomes: Sequence[Outcome]) -> None:
        """All inputs have ended, like this: a table of several says what they come down to together.

        Raises:
            OutputError: The stream cannot be written, such as on a full disk.
        """
        if self._format != "table" or self._gone or len(outcomes) < 2:
            return
        from gpu_qa.sinks.table import total

        with self._while_read():
            console = self._console()
            console.print()
            console.print(total(outcomes))
            self._stream.flush()

    def _write_json(self, report: Report, pictures: Mapping[str, PictureFile] | None) -> None:
        from gpu_qa.sinks.json_document import dumps

        encoding = (getattr(self._stream, "encoding", None) or "utf-8").lower().replace("-", "")
        self._stream.write(dumps(report, pictures=pictures, ascii_only=encoding != "utf8") + "\n")

    def _write_table(self, report: Report) -> None:
        from gpu_qa.sinks.table import render

        console = self._console()
        if self._written:
            console.print()
        console.print(render([report]))

    def _console(self) -> Console:
        from rich.console import Console

        class ReadConsole(Console):
            """Rich ends the whole program when its reader has gone; we have other inputs, and a report to write."""

            def on_broken_pipe(self) -> None:
                raise BrokenPipeError

        free = not self._stream.isatty() and "COLUMNS" not in os.environ
        return ReadConsole(file=self._stream, width=_PIPED_COLUMNS if free else None, highlight=False)

    @contextlib.contextmanager
    def _while_read(self) -> Iterator[None]:
        from gpu_qa.sinks.jsonl import discard_rest

        try:
            yield
        except BrokenPipeError:
            self._gone = True
            discard_rest(self._stream)
        except OSError as error:
            raise OutputError(f"{self._name}: cannot be written: {error.strerror or error}") from error


class InOrder(Generic[_T]):
    """Results in the order of their inputs, though these end in any order.

    Args:
        holds: Per input, whether what comes after it waits for it. One that holds nobody, such as a live input, waits
            for nobody either.
    """

    def __init__(self, holds: Sequence[bool]) -> None:
        self._holds = holds
        self._next = 0
        """The first input that others wait for."""
        self._held: dict[int, _T] = {}

    def holds(self, index: int) -> bool:
        """Whether what comes after this input waits for it."""
        return self._holds[index]

    def put(self, index: int, result: _T) -> list[_T]:
        """An input has ended.

        Returns:
            The results that are to be told now, in order.
        """
        if not self._holds[index]:
            return [result]
        self._held[index] = result
        freed: list[_T] = []
        while self._next < len(self._holds):
            if self._holds[self._next]:
                if self._next not in self._held:
                    break
                freed.append(self._held.pop(self._next))
            self._next += 1
        return freed

    def rest(self) -> list[_T]:
        """What is still held back, in order: nothing more comes that it could wait for."""
        rest = [self._held[index] for index in sorted(self._held)]
        self._held.clear()
        return rest


@contextlib.contextmanager
def opened(path: str, *, whole: bool) -> Iterator[TextIO]:
    """Open a file to write text to.

    Args:
        path: Where to. A device or a named pipe is written as it is.
        whole: The file appears, or replaces an older one, when the block ends, and not at all if that fails; false
            writes it as it grows, for readers that follow it.

    Raises:
        ConfigError: The file may not be written.
        OutputError: Writing failed, such as on a full disk.
    """
    check_writable(path)
    target = Path(path).resolve()
    grows = not whole or (target.exists() and not target.is_file())
    try:
        with target.open("w", encoding="utf-8") if grows else _replacing(target) as file:
            yield file
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error


@contextlib.contextmanager
def _replacing(target: Path) -> Iterator[TextIO]:
    handle, name = tempfile.mkstemp(prefix=f".{target.name[:100]}.", suffix=".part", dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            yield file
        # mkstemp makes files private; this one gets the mode any new file would have.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def check_writable(path: str) -> None:
    """Find out before hours of analysis that its result could not be written.

    Raises:
        ConfigError: The path is a folder, its folder is missing, or either may not be written.
    """
    target = Path(path).resolve()
    if target.is_dir():
        raise ConfigError(f"{path}: is a folder; give the name of a file in it")
    if not target.parent.is_dir():
        raise ConfigError(f"{path}: there is no folder {target.parent}")
    may = os.access(target, os.W_OK) if target.exists() and not target.is_file() else os.access(target.parent, os.W_OK)
    if not may:
        raise ConfigError(f"{path}: may not be written")
