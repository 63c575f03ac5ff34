"""The truth about a clip: what was planted, where, how strong, and what should be told of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gpu_qa.inject.fault import OptionValue

SCHEMA = 1
"""Of the document."""


@dataclass(frozen=True, slots=True)
class PlantedFault:
    """A fault as it lies in the new clip."""

    fault: str
    kind: str
    """The event kind that should be told of it."""
    start_s: float
    """On the stream's clock (0 is the first picture): where the first picture, sample or packet is changed."""
    end_s: float
    """Where the first one behind it is unchanged again; the start for what has no length."""
    strength: float | None
    """Null where the fault has none."""
    unit: str
    """Of the strength."""
    seed: int
    options: Mapping[str, OptionValue]


@dataclass(frozen=True, slots=True)
class Truth:
    """All that is known of a new clip."""

    schema: int
    version: str
    """Of gpu-qa."""
    clip: str
    """Name of the file that was read."""
    file: str
    """Name of the file that was written."""
    duration_s: float
    """Of the new clip: the end of its last picture, or of its sound without one."""
    width: int | None
    height: int | None
    frame_rate: float | None
    """Mean, frames per second."""
    pixel_format: str | None
    video_codec: str | None
    crf: float | None
    """The encoder's rate factor; of MPEG-2 its quantiser scale."""
    audio_codec: str | None
    sample_rate: int | None
    """Hz."""
    channel_layout: str | None
    faults: tuple[PlantedFault, ...]
    """Empty for a clean copy."""


def truth_json(truth: Truth) -> dict[str, Any]:
    """The truth as JSON values."""
    return asdict(truth) | {"faults": [asdict(fault) | {"options": dict(fault.options)} for fault in truth.faults]}
