"""All faults that can be planted: the one list that the command, the documentation and the benchmark share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpu_qa.config import known_detectors, unknown
from gpu_qa.errors import ConfigError
from gpu_qa.inject.fault import Fault, Option, Planting, defaults
from gpu_qa.inject.picture_faults import PICTURE_FAULTS
from gpu_qa.inject.sound_faults import SOUND_FAULTS
from gpu_qa.inject.stream_faults import STREAM_FAULTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gpu_qa.inject.fault import OptionValue

FAULTS: Mapping[str, Fault] = {fault.name: fault for fault in (*PICTURE_FAULTS, *SOUND_FAULTS, *STREAM_FAULTS)}
"""Every fault by its name: those of the picture, of the sound, of the stream."""


def parse_planting(text: str, base: Planting | None = None, *, strength: float | None = None) -> Planting:
    """Read `NAME[:key=value[,key=value…]]`, as the command's `--fault` has it.

    Args:
        text: The keys are `strength`, `start`, `duration`, `seed`, and the fault's own options.
        base: Where start, duration and seed come from when the text does not say them.
        strength: Of a fault that has one, when the text does not say it; null is the fault's own.

    Raises:
        ConfigError: An unknown fault or key, or a value that is not allowed.
    """
    name, _, rest = text.strip().partition(":")
    fault = FAULTS.get(name)
    if fault is None:
        raise ConfigError(unknown("fault", name, FAULTS))
    given: dict[str, str] = {}
    for part in (part.strip() for part in rest.replace(":", ",").split(",")):
        key, sign, value = part.partition("=")
        if not part:
            continue
        if not sign:
            raise ConfigError(f"{text}: {part!r} must be key=value")
        given[key.strip()] = value.strip()
    known = [*(("strength",) if fault.strength else ()), "start", "duration", "seed", *(o.name for o in fault.options)]
    for key in given:
        if key == "strength" and not fault.strength:
            raise ConfigError(f"{text}: {fault.name} has no strength")
        if key not in known:
            raise ConfigError(f"{text}: {unknown('key', key, known)}")
    start = base if base is not None else Planting(fault)
    seed = given.get("seed", str(start.seed))
    if not seed.isdecimal():
        raise ConfigError(f"{text}: seed={seed}: must be a whole number, 0 or more")
    return planting(
        fault,
        strength=_number(text, "strength", given["strength"]) if "strength" in given else strength,
        start_s=_number(text, "start", given["start"]) if "start" in given else start.start_s,
        duration_s=_number(text, "duration", given["duration"]) if "duration" in given else start.duration_s,
        seed=int(seed),
        options={option.name: _option(text, option, given[option.name]) for option in fault.options
                 if option.name in given},
    )  # fmt: skip


def planting(
    fault: Fault,
    *,
    strength: float | None = None,
    start_s: float = 3.0,
    duration_s: float = 4.0,
    seed: int = 1,
    options: Mapping[str, OptionValue] | None = None,
) -> Planting:
    """A fault that is to be planted, with everything that is not given as it is by default.

    Raises:
        ConfigError: A value is out of its range.
    """
    if not 0 <= start_s < float("inf") or not 0 < duration_s < float("inf"):
        raise ConfigError(f"{fault.name}: start must be 0 or more and duration more than 0 seconds")
    allowed = fault.strength
    chosen = 0.0
    if allowed is not None:
        chosen = allowed.default if strength is None else strength
        if not allowed.low <= chosen <= allowed.high:
            raise ConfigError(
                f"{fault.name}: strength {chosen:g}: must be {allowed.low:g} to {allowed.high:g} {allowed.unit}"
            )
    return Planting(fault, start_s, duration_s, chosen, seed, defaults(fault.options) | dict(options or {}))


def _option(text: str, option: Option, value: str) -> OptionValue:
    if option.choices:
        if value not in option.choices:
            raise ConfigError(f"{text}: {unknown(option.name, value, option.choices)}")
        return value
    number = _number(text, option.name, value)
    if not option.low <= number <= option.high:
        raise ConfigError(f"{text}: {option.name}={value}: must be {option.low:g} to {option.high:g}")
    return number


def _number(text: str, key: str, value: str) -> float:
    try:
        number = float(value.replace("−", "-"))
    except ValueError:
        number = float("nan")
    if number != number or abs(number) == float("inf"):
        raise ConfigError(f"{text}: {key}={value}: must be a number")
    return number


def is_told(fault: Fault) -> bool:
    """Whether a known detector tells events of the fault's kind."""
    return any(fault.kind in detector.kinds for detector in known_detectors().values())


def describe(fault: Fault) -> dict[str, object]:
    """A fault as JSON values."""
    allowed = fault.strength
    return {
        "fault": fault.name,
        "kind": fault.kind,
        "told": is_told(fault),
        "summary": fault.summary,
        "strength": None
        if allowed is None
        else {
            "what": allowed.what,
            "unit": allowed.unit,
            "low": allowed.low,
            "high": allowed.high,
            "default": allowed.default,
        },
        "options": [
            {
                "name": option.name,
                "what": option.what,
                "default": option.default,
                **({"choices": list(option.choices)} if option.choices else {"low": option.low, "high": option.high}),
            }
            for option in fault.options
        ],
        "whole_clip": fault.whole,
    }
