"""Settings: each stage's own, composed, from code or from a TOML file.

A settings class belongs to the stage that it steers; this module only joins them, checks what a file says against their
types, and writes them down for the report. Keys of the file are the names of the fields, so that there is one name for
one thing in code, configuration and JSON.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import json
import math
import typing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpu_qa.decode import DecodeSettings
from gpu_qa.detectors import all_detectors
from gpu_qa.errors import ConfigError
from gpu_qa.series import EventTiming
from gpu_qa.sources import SourceSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gpu_qa.series import Detector

PROFILES: dict[str, dict[str, dict[str, Any]]] = {
    "default": {},
    # MediaLive API, AudioSilenceFailoverSettings: silence is "audio quieter than -50 dBFS".
    "aws": {"silence": {"raise_dbfs": -50.0}},
    # EBU R 128 (2023): −23.0 LUFS ± 0.5 LU, maximum true peak −1 dBTP. EBU R 37 (2007): at the end of the chain, before
    # emission, sound is early by 40 ms or late by 60 ms at most.
    "ebu": {
        "av_offset": {"advance_ms": 40.0, "delay_ms": 60.0},
        "loudness": {"target_lufs": -23.0, "tolerance_lu": 0.5},
        "true_peak": {"max_dbtp": -1.0},
    },
    # ATSC A/85:2013: −24 LKFS ± 2 dB, true peak below −2 dBTP.
    "atsc": {
        "loudness": {"target_lufs": -24.0, "tolerance_lu": 2.0},
        "true_peak": {"max_dbtp": -2.0},
    },
    # AES TD1008 (2021): −18 LUFS for what has speech in it, −16 to −20 LUFS tolerated, maximum true peak −1 dBTP.
    "streaming": {
        "loudness": {"target_lufs": -18.0, "tolerance_lu": 2.0},
        "true_peak": {"max_dbtp": -1.0},
    },
    # ATSC IS-191 (2003): where a programme enters the encoder, sound leads by 15 ms or lags by 45 ms at most.
    "contribution": {"av_offset": {"advance_ms": 15.0, "delay_ms": 45.0}},
}
"""Profile → detector → settings that differ from the detectors' defaults."""

_ENABLED = "enabled"
TABLES = ("profile", "source", "decode", "detectors")
"""Keys of the settings file."""


@dataclass(frozen=True, slots=True)
class DetectorSettings:
    """How one detector judges and when its events are told."""

    limits: Any
    """An instance of the detector's own frozen limits class."""
    timing: EventTiming


@functools.cache
def known_detectors() -> Mapping[str, Detector]:
    """Every detector by its name: the package's own, in their order, then those that other packages register.

    Raises:
        ConfigError: Another package's detector cannot be loaded.
    """
    return {detector.name: detector for detector in all_detectors()}


def default_detectors() -> Mapping[str, DetectorSettings]:
    """Every known detector with its defaults."""
    return {name: DetectorSettings(detector.limits, detector.timing) for name, detector in known_detectors().items()}


@dataclass(frozen=True, slots=True)
class Settings:
    """How one input is opened, decoded and judged."""

    source: SourceSettings = field(default_factory=SourceSettings)
    decode: DecodeSettings = field(default_factory=DecodeSettings)
    detectors: Mapping[str, DetectorSettings] = field(default_factory=default_detectors)
    """The detectors that run, by name; one that is not in it does not run."""

    def __post_init__(self) -> None:
        for name in self.detectors:
            if name not in known_detectors():
                raise ConfigError(unknown("detector", name, known_detectors()))

    def select(self, names: Iterable[str]) -> Settings:
        """The same with only the named detectors.

        Args:
            names: Names of detectors (`freeze`) or of event kinds (`video.freeze`), which choose the detector that
                tells them. A detector that these settings leave out comes with its defaults.

        Raises:
            ConfigError: No name, or one that is neither a detector nor an event kind.
        """
        known = known_detectors()
        chosen: set[str] = set()
        for name in names:
            found = {detector.name for detector in known.values() if name == detector.name or name in detector.kinds}
            if not found:
                kinds = [kind for detector in known.values() for kind in detector.kinds]
                raise ConfigError(unknown("detector or event kind", name, known, hints=[*known, *kinds]))
            chosen |= found
        if not chosen:
            raise ConfigError(f"no detector is chosen; known: {', '.join(known)}")
        available = {**default_detectors(), **self.detectors}
        return replace(self, detectors={name: available[name] for name in known if name in chosen})


def load_settings(path: str | Path, base: Settings | None = None, *, profile: str | None = None) -> Settings:
    """Read a TOML file; what it does not say stays as in `base`.

    The file has a key `profile` and the tables `[source]`, `[decode]` and `[detectors.NAME]`; in the last, fields of
    the limits and of the timing stand side by side, and `enabled = false` leaves the detector out. A profile is
    applied before the tables; one that is given here, instead of the file's.

    Raises:
        ConfigError: The file cannot be read, is no TOML, or holds a key that nothing knows, or a value of the wrong
            type or out of range. The message names file, table, key, the value, and what is allowed.
    """
    content = read_toml(path)
    if profile is not None:
        content["profile"] = profile
    try:
        return override(Settings() if base is None else base, content)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def read_toml(path: str | Path) -> dict[str, Any]:
    """What a TOML file says.

    Raises:
        ConfigError: The file cannot be read or is no TOML.
    """
    import tomllib

    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text: {error.reason} at byte {error.start}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: is not TOML: {error}") from None


def override(base: Settings, content: Mapping[str, Any]) -> Settings:
    """The settings with what a table in the shape of the TOML file says; see `load_settings`.

    Raises:
        ConfigError: A key that nothing knows, or a value of the wrong type or out of range.
    """
    for key in content:
        if key not in TABLES:
            raise ConfigError(unknown("key", key, TABLES))
    detectors = dict(base.detectors)
    for name, values in _profile(content.get("profile", "default")).items():
        if name in detectors:
            detectors[name] = _overridden(detectors[name], values, f"profile {content['profile']}, {name}")
    known = known_detectors()
    for name, values in _table(content, "detectors", "").items():
        if name not in known:
            raise ConfigError(f"[detectors] {unknown('detector', name, known)}")
        where = f"[detectors.{name}]"
        table = dict(_table({name: values}, name, "detectors."))
        enabled = table.pop(_ENABLED, True)
        if not isinstance(enabled, bool):
            raise ConfigError(f"{where} {_ENABLED} = {shown(enabled)}: must be true or false")
        detectors[name] = _overridden(
            detectors.get(name, DetectorSettings(known[name].limits, known[name].timing)), table, where
        )
        if not enabled:
            del detectors[name]
    return replace(
        base,
        source=checked(base.source, _table(content, "source", ""), "[source]"),
        decode=checked(base.decode, _table(content, "decode", ""), "[decode]"),
        detectors={name: detectors[name] for name in known if name in detectors},
    )


def settings_json(settings: Settings) -> dict[str, Any]:
    """The settings as JSON values, in the shape of the TOML file."""
    return {
        "source": plain(settings.source),
        "decode": plain(settings.decode),
        "detectors": {
            name: {**plain(chosen.limits), **plain(chosen.timing)} for name, chosen in settings.detectors.items()
        },
    }


def plain(value: Any) -> Any:
    """A settings value as JSON values; a number that JSON has no word for becomes text."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return str(value)


def _profile(name: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(name, str) or name not in PROFILES:
        raise ConfigError(f"profile = {shown(name)}: {unknown('profile', str(name), PROFILES)}")
    return PROFILES[name]


def _table(content: Mapping[str, Any], key: str, where: str) -> dict[str, Any]:
    table = content.get(key, {})
    if not isinstance(table, dict):
        raise ConfigError(f"{where}{key} = {shown(table)}: must be a table")
    return table


def _overridden(chosen: DetectorSettings, values: Mapping[str, Any], where: str) -> DetectorSettings:
    """A detector's settings with the values of a table that speaks of its limits and of its timing."""
    timing_names = {item.name for item in dataclasses.fields(EventTiming)}
    limit_names = {item.name for item in dataclasses.fields(chosen.limits)}
    for key in values:
        if key not in limit_names | timing_names:
            raise ConfigError(f"{where} {unknown('key', key, [*limit_names, *timing_names, _ENABLED])}")
    limits = checked(chosen.limits, {key: values[key] for key in values if key in limit_names}, where)
    timing = checked(chosen.timing, {key: values[key] for key in values if key in timing_names}, where)
    return DetectorSettings(limits, timing)


def checked(base: Any, values: Mapping[str, Any], where: str) -> Any:
    """A copy of the dataclass `base` with the values, each of which must be of its field's type."""
    if not values:
        return base
    hints = typing.get_type_hints(type(base), include_extras=True)
    names = [item.name for item in dataclasses.fields(base) if item.init]
    for key in values:
        if key not in names:
            raise ConfigError(f"{where} {unknown('key', key, names)}")
    valid = {key: _of_type(hints[key], value, f"{where} {key}") for key, value in values.items()}
    try:
        return replace(base, **valid)
    except (ValueError, ConfigError) as error:
        given = ", ".join(f"{key} = {shown(value)}" for key, value in values.items())
        raise ConfigError(f"{where} {given}: {error}") from None


def _of_type(hint: Any, value: Any, where: str) -> Any:
    from pydantic import TypeAdapter, ValidationError

    try:
        # JSON's rules, strictly: a list is a tuple, an integer is a number, but "2" and true are not.
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        kind = "a finite number" if isinstance(value, float) else "made of finite numbers, text, true or false"
        raise ConfigError(f"{where} = {shown(value)}: must be {kind}") from None
    try:
        return TypeAdapter(hint).validate_json(text, strict=True)
    except ValidationError as error:
        wanted = dict.fromkeys(
            item["msg"].removeprefix("Input should be ").replace("valid array", "list") for item in error.errors()
        )
        raise ConfigError(f"{where} = {shown(value)}: must be {' or '.join(wanted)}") from None


def unknown(what: str, name: str, known: Iterable[str], hints: Iterable[str] | None = None) -> str:
    """Says that there is no such name, which one is nearest and which there are."""
    names = list(known)
    near = difflib.get_close_matches(name, names if hints is None else list(hints), n=1, cutoff=0.6)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return f"unknown {what} {name!r}{hint}; known: {', '.join(names)}"


def shown(value: Any) -> str:
    """A value as TOML would write it, shortened."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a table"
    text = json.dumps(value, default=str) if isinstance(value, str | list) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
