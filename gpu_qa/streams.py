"""Many streams: a file that names them, each with settings of its own where it needs them."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpu_qa.config import TABLES, Settings, checked, override, read_toml, shown, unknown
from gpu_qa.errors import ConfigError
from gpu_qa.sources.address import STDIN, without_credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

_STREAMS = "streams"
_DEFAULTS = "defaults"
_FILE_KEYS = (_DEFAULTS, _STREAMS)


@dataclass(frozen=True, slots=True)
class StreamEntry:
    """One stream that is to be analyzed."""

    name: str
    """What it is called in results; no other stream of the same command has this name."""
    input: str
    """Path, URL, or `-` for standard input."""
    settings: Settings = field(default_factory=Settings)
    duration_s: float | None = None
    """How much of it is analyzed; null is all."""
    reference: str | None = None
    """Name of another stream, the same programme earlier in the chain, which this one is laid over; null is none."""
    codec: str | None = None
    """For planning, where no input is opened: the codec of the picture, such as `h264`; null is not stated."""
    width: int | None = None
    """Luma samples; likewise."""
    height: int | None = None
    """Luma samples; likewise."""
    frame_rate: Fraction | None = None
    """Frames per second; likewise."""


@dataclass(frozen=True, slots=True)
class _Stated:
    """What a table of the file says beside settings, as TOML has it."""

    name: str | None = None
    input: str | None = None
    reference: str | None = None
    duration_s: float | None = None
    codec: str | None = None
    width: int | None = None
    height: int | None = None
    frame_rate: float | str | None = None

    def __post_init__(self) -> None:
        for name in ("name", "input", "reference", "codec"):
            if getattr(self, name) is not None and not getattr(self, name).strip():
                raise ValueError("must not be empty")
        for name in ("duration_s", "width", "height"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError("must be more than 0")
        _frame_rate(self.frame_rate)


_STREAM_KEYS = tuple(item.name for item in fields(_Stated))
_DEFAULTS_KEYS = tuple(key for key in _STREAM_KEYS if key not in ("name", "input", "reference"))


def load_streams(path: str | Path, base: Settings | None = None) -> tuple[StreamEntry, ...]:
    """Read which streams there are.

    A file whose name ends in `.toml` has a table `[[streams]]` for each, with `input`, and where wanted `name`,
    `reference`, `duration_s`, `codec`, `width`, `height`, `frame_rate`, `profile`, `source`, `decode` and `detectors`,
    the last four in the shape of the settings file. `[defaults]` says the same, but for `name`, `input` and
    `reference`, of all streams.
    Any other file, and `-` for standard input, is a list with one input per line; empty lines and those that begin
    with `#` do not count. Paths are relative to the file's folder.

    Args:
        path: The file.
        base: Settings where the file says nothing.

    Raises:
        ConfigError: The file cannot be read, names no stream, or holds a key that nothing knows, a value of the wrong
            type or out of range, a name twice, or a reference that is none. The message names file, stream, key,
            value, and what is allowed.
    """
    base = Settings() if base is None else base
    if str(path).lower().endswith(".toml"):
        return _of_tables(path, read_toml(path), base)
    return _of_list(path, base)


def streams_of(inputs: Sequence[str], listed: Sequence[StreamEntry], base: Settings) -> tuple[StreamEntry, ...]:
    """The streams of one command: inputs given by themselves, then those of a file. All names differ.

    Raises:
        ConfigError: No stream, or standard input more than once.
    """
    given = _named([(None, StreamEntry("", address, base)) for address in inputs], {entry.name for entry in listed})
    entries = (*given, *listed)
    if not entries:
        raise ConfigError("no input: give paths or URLs, or --streams FILE")
    if sum(entry.input == STDIN for entry in entries) > 1:
        raise ConfigError("standard input can only be one stream, but - is given more than once")
    return entries


def with_options(entries: Sequence[StreamEntry], change: Callable[[Settings], Settings]) -> tuple[StreamEntry, ...]:
    """The streams with changed settings; those that shared theirs share them afterwards.

    Raises:
        ConfigError: As `change` does.
    """
    changed: dict[int, Settings] = {}
    for entry in entries:
        if id(entry.settings) not in changed:
            changed[id(entry.settings)] = change(entry.settings)
    return tuple(replace(entry, settings=changed[id(entry.settings)]) for entry in entries)


def _of_tables(path: str | Path, content: Mapping[str, Any], base: Settings) -> tuple[StreamEntry, ...]:
    for key in content:
        if key not in _FILE_KEYS:
            raise ConfigError(f"{path}: {unknown('key', key, _FILE_KEYS)}")
    defaults = content.get(_DEFAULTS, {})
    tables = content.get(_STREAMS, [])
    if not isinstance(defaults, dict):
        raise ConfigError(f"{path}: {_DEFAULTS} = {shown(defaults)}: must be a table")
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigError(f"{path}: {_STREAMS} = {shown(tables)}: must be tables, each headed by [[{_STREAMS}]]")
    if not tables:
        raise ConfigError(f'{path}: names no stream; each is a table headed by [[{_STREAMS}]] with input = "…"')
    reader = _TableReader(base, defaults)
    try:
        reader.read(defaults, _DEFAULTS_KEYS)  # a mistake in it is told as one of it, not of the first stream
    except ConfigError as error:
        raise ConfigError(f"{path}: [{_DEFAULTS}] {str(error).strip()}") from None
    numbers: dict[str, int] = {}
    found: list[tuple[str | None, StreamEntry]] = []
    for number, table in enumerate(tables, 1):
        where = f"{path}: stream {number}"
        name = table.get("name")
        if isinstance(name, str) and name:
            where += f" ({name})"
        try:
            stated, settings = reader.read(table, _STREAM_KEYS)
        except ConfigError as error:
            raise ConfigError(f"{where}: {str(error).strip()}") from None
        if stated.input is None:
            raise ConfigError(f"{where}: input is missing: a path, a URL, or - for standard input")
        if stated.name is not None:
            if stated.name in numbers:
                raise ConfigError(f"{where}: stream {numbers[stated.name]} has the same name")
            numbers[stated.name] = number
        found.append((stated.name, _entry(stated, settings, _folder(path))))
    entries = _named(found)
    _check_references(entries, path)
    return entries


def _check_references(entries: Sequence[StreamEntry], path: str | Path) -> None:
    by_name = {entry.name: entry for entry in entries}
    for number, entry in enumerate(entries, 1):
        if entry.reference is None:
            continue
        where = f"{path}: stream {number} ({entry.name}): reference = {shown(entry.reference)}"
        if entry.reference not in by_name:
            raise ConfigError(f"{where}: {unknown('stream', entry.reference, list(by_name))}")
        if entry.reference == entry.name:
            raise ConfigError(f"{where}: is the stream itself")
        further = by_name[entry.reference].reference
        if further is not None:
            raise ConfigError(f"{where}: has a reference itself; name that one, {shown(further)}, here too")


class _TableReader:
    """Reads tables of streams, which share their settings where they say the same."""

    def __init__(self, base: Settings, defaults: Mapping[str, Any]) -> None:
        self._base = base
        self._defaults = defaults
        self._known: dict[str, Settings] = {}

    def read(self, table: Mapping[str, Any], keys: Collection[str]) -> tuple[_Stated, Settings]:
        """What a table says, on top of the defaults: the facts among `keys`, and the settings.

        Raises:
            ConfigError: As `load_streams` does.
        """
        for key in table:
            if key not in keys and key not in TABLES:
                raise ConfigError(unknown("key", key, [*keys, *TABLES]))
        said = _merged(self._defaults, table)
        stated = _Stated()
        for key in keys:
            if key in said:
                stated = checked(stated, {key: said[key]}, "")
        tables = {key: said[key] for key in TABLES if key in said}
        text = json.dumps(tables, sort_keys=True, default=str)
        if text not in self._known:
            self._known[text] = override(self._base, tables) if tables else self._base
        return stated, self._known[text]


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Both mappings in one, those inside them too; of what both say, `above` counts."""
    merged = dict(below)
    for key, value in above.items():
        lower = merged.get(key)
        merged[key] = _merged(lower, value) if isinstance(lower, dict) and isinstance(value, dict) else value
    return merged


def _entry(stated: _Stated, settings: Settings, folder: str) -> StreamEntry:
    return StreamEntry(
        name="",
        input=_resolved(stated.input or "", folder),
        settings=settings,
        duration_s=stated.duration_s,
        reference=stated.reference,
        codec=stated.codec.lower() if stated.codec else None,
        width=stated.width,
        height=stated.height,
        frame_rate=_frame_rate(stated.frame_rate),
    )


def _frame_rate(value: float | str | None) -> Fraction | None:
    if value is None:
        return None
    try:
        rate = Fraction(value) if isinstance(value, str) else Fraction(value).limit_denominator(1001)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not rate > 0:
        raise ValueError('must be a number of frames per second above 0, or a fraction such as "30000/1001"')
    return rate


def _of_list(path: str | Path, base: Settings) -> tuple[StreamEntry, ...]:
    is_stdin = str(path) == STDIN
    try:
        data = sys.stdin.buffer.read() if is_stdin else Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None
    where = "standard input" if is_stdin else str(path)
    # Names of files may hold any byte.
    text = data.decode("utf-8-sig", "surrogateescape")
    if "\0" in text:
        raise ConfigError(f"{where}: is no UTF-8 text with one input per line")
    inputs = [line for raw in text.split("\n") if (line := raw.strip()) and not line.startswith("#")]
    if f"[[{_STREAMS}]]" in inputs:
        raise ConfigError(f"{where}: looks like TOML: a file of tables needs a name that ends in .toml")
    if not inputs:
        raise ConfigError(f"{where}: names no input; they stand one per line")
    if is_stdin and STDIN in inputs:
        raise ConfigError("standard input is the list of inputs, so it cannot be one of them")
    folder = "" if is_stdin else _folder(path)
    return _named([(None, StreamEntry("", _resolved(address, folder), base)) for address in inputs])


def _folder(path: str | Path) -> str:
    """The folder that relative paths start from; empty for the current one, so that they stay as written."""
    return "" if Path(path).parent == Path() else str(Path(path).parent)


def _resolved(address: str, folder: str) -> str:
    """An input as seen from the current folder: a relative path starts from `folder`."""
    if address == STDIN or "://" in address:
        return address
    return os.path.join(folder, address.removeprefix("file:"))  # noqa: PTH118 - Path would tidy up what was written


def _named(found: Sequence[tuple[str | None, StreamEntry]], taken: Collection[str] = ()) -> tuple[StreamEntry, ...]:
    """The streams with their names; one without is called by its input, with a number where that is taken."""
    names = {*taken, *(name for name, _ in found if name is not None)}
    seen: dict[str, int] = {}
    entries: list[StreamEntry] = []
    for name, entry in found:
        if name is None:
            own = display_name(entry.input)
            name = own  # noqa: PLW2901 - this is where it gets one
            number = seen.get(own, 1)
            while name in names:
                number += 1
                name = f"{own} ({number})"  # noqa: PLW2901
            seen[own] = number
            names.add(name)
        entries.append(replace(entry, name=name))
    return tuple(entries)


def display_name(address: str) -> str:
    """An input as it is called: never with credentials."""
    return without_credentials(address) if "://" in address else "stdin" if address == STDIN else address
