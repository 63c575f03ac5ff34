"""What a fault is: its name, the event that should be told of it, how strong it can be, and what makes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from gpu_qa.inject.picture import Picture
    from gpu_qa.inject.recoded import Shape

Stage = Literal["pictures", "sound", "coding", "packets", "transport"]
"""What a fault changes: decoded pictures, decoded sound, how pictures are coded, coded packets, or packets of the
transport stream."""
OptionValue = float | str


@dataclass(frozen=True, slots=True)
class Strength:
    """How strong a fault can be."""

    what: str
    """What the number says, for people."""
    unit: str
    low: float
    high: float
    default: float


@dataclass(frozen=True, slots=True)
class Option:
    """One more thing that can be said of a fault."""

    name: str
    what: str
    default: OptionValue
    choices: tuple[str, ...] = ()
    """The words allowed; empty where it is a number."""
    low: float = 0.0
    high: float = 0.0


@dataclass(frozen=True, slots=True)
class Case:
    """A strength with options at which the benchmark looks."""

    strength: float | None = None
    options: Mapping[str, OptionValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that can be planted."""

    name: str
    """Lower case, as in `--fault`."""
    kind: str
    """The event kind that should be told of it, such as `video.freeze`."""
    stage: Stage
    summary: str
    """One line: what is done."""
    make: Callable[..., Any]
    """Makes what plants it: a `PictureFault`, `SoundFault`, `CodingFault`, `PacketFault` or `TransportFault`."""
    strength: Strength | None = None
    """Null where it is there or not."""
    options: tuple[Option, ...] = ()
    cases: tuple[Case, ...] = (Case(),)
    """What the benchmark plants, from weak to strong."""
    whole: bool = False
    """Lasts from the first picture to the end of the clip, whatever `start_s` and `duration_s` say."""
    instant: bool = False
    """Has a start and no length."""
    needs_level: bool = False
    """What makes it is told how loud the stretch is; others are told nothing of it."""
    needs_channels: int = 1
    """Channels that the sound must have at least."""
    needs_slices: bool = False
    """Damages slices of coded pictures, which not every codec has."""
    cuts: bool = False
    """Nothing of its tracks arrives: the stretch begins with a key frame and lasts until the next one behind it."""
    moves: bool = False
    """Gives sound of another time than that of what it was given, up to its `given`, see `shifted.Shift`."""


@dataclass(frozen=True, slots=True)
class Planting:
    """A fault that is to be planted."""

    fault: Fault
    start_s: float = 3.0
    """On the stream's clock: 0 is the first picture."""
    duration_s: float = 4.0
    strength: float = 0.0
    """In the fault's unit; meaningless where it has none."""
    seed: int = 1
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    """All options of the fault, with their defaults where nothing else was said."""

    @property
    def end_s(self) -> float:
        """Where it ends."""
        return self.start_s + (0.0 if self.fault.instant else self.duration_s)

    def covers(self, at_s: float) -> bool:
        """Whether it lasts at this time."""
        return self.fault.whole or self.start_s <= at_s < self.end_s

    def rng(self) -> np.random.Generator:
        """Where its chance comes from."""
        return np.random.default_rng(self.seed)

    def number(self, name: str) -> float:
        """An option that is a number."""
        return float(self.options[name])

    def word(self, name: str) -> str:
        """An option that is a word."""
        return str(self.options[name])


class PictureFault(Protocol):
    """Changes decoded pictures."""

    def take(self, picture: Picture, inside: bool) -> Picture | None:
        """What is shown instead of the next picture; null: nothing, it is lost. `inside`: the fault lasts."""


class SoundFault(Protocol):
    """Changes decoded sound."""

    def take(self, samples: np.ndarray, first: int, inside: bool) -> np.ndarray:
        """What is heard instead of the next samples.

        Args:
            samples: float32 [C, N], full scale ±1. A block lies wholly inside or outside of the fault; behind one that
                `moves` it is inside if its first sample is.
            first: Index of the first one on the stream's clock.
            inside: The fault lasts.
        """


class CodingFault(Protocol):
    """Changes in which size and shape pictures are coded."""

    def take(self, shape: Shape) -> Shape:
        """The shape of pictures for which the fault lasts, instead of this one."""


class PacketFault(Protocol):
    """Changes coded packets."""

    slices: int
    """Into how many slices pictures are to be coded; 0 leaves it to the encoder."""

    def take(self, data: bytes, track: Literal["video", "audio"], is_key: bool) -> bytes | None:
        """The bytes of a packet for which the fault lasts; null: it is lost."""


class TransportFault(Protocol):
    """Changes packets of 188 bytes of a transport stream."""

    def take(self, packet: bytes, pid: int, is_video: bool, inside: bool) -> bytes | None:
        """The packet as it arrives; null: it is lost. `inside`: the fault lasts."""


def defaults(options: Iterable[Option]) -> dict[str, OptionValue]:
    """Every option's default."""
    return {option.name: option.default for option in options}


def levels(*strengths: float, **options: OptionValue) -> tuple[Case, ...]:
    """A case for each strength, with the same options."""
    return tuple(Case(strength, options) for strength in strengths)
