"""Detectors: series → evidence. One file each; listed here by hand."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from gpu_qa.detectors.av_offset import AV_OFFSET
from gpu_qa.detectors.black import BLACK
from gpu_qa.detectors.block_corruption import BLOCK_CORRUPTION
from gpu_qa.detectors.blockiness import BLOCKINESS
from gpu_qa.detectors.blur import BLUR
from gpu_qa.detectors.channel_loss import CHANNEL_LOSS
from gpu_qa.detectors.click import CLICK
from gpu_qa.detectors.clipping import CLIPPING
from gpu_qa.detectors.color_loss import COLOR_LOSS
from gpu_qa.detectors.dc_offset import DC_OFFSET
from gpu_qa.detectors.decode_error import DECODE_ERROR
from gpu_qa.detectors.discontinuity import DISCONTINUITY
from gpu_qa.detectors.distortion import DISTORTION
from gpu_qa.detectors.dropout import DROPOUT
from gpu_qa.detectors.dual_mono import DUAL_MONO
from gpu_qa.detectors.flash import FLASH
from gpu_qa.detectors.format_change import FORMAT_CHANGE
from gpu_qa.detectors.frame_loss import FRAME_LOSS
from gpu_qa.detectors.freeze import FREEZE
from gpu_qa.detectors.gap import GAP
from gpu_qa.detectors.hiss import HISS
from gpu_qa.detectors.hum import HUM
from gpu_qa.detectors.interlacing import INTERLACING
from gpu_qa.detectors.letterbox import LETTERBOX
from gpu_qa.detectors.loop import LOOP
from gpu_qa.detectors.loudness import LOUDNESS
from gpu_qa.detectors.mismatch import MISMATCH
from gpu_qa.detectors.missing import MISSING
from gpu_qa.detectors.overload import OVERLOAD
from gpu_qa.detectors.phase_inversion import PHASE_INVERSION
from gpu_qa.detectors.silence import SILENCE
from gpu_qa.detectors.solid_color import SOLID_COLOR
from gpu_qa.detectors.stalled import STALLED
from gpu_qa.detectors.stuck import STUCK
from gpu_qa.detectors.stutter import STUTTER
from gpu_qa.detectors.test_pattern import TEST_PATTERN
from gpu_qa.detectors.true_peak import TRUE_PEAK
from gpu_qa.errors import ConfigError
from gpu_qa.series import Detector

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["DETECTORS", "ENTRY_POINT_GROUP", "all_detectors"]

DETECTORS: tuple[Detector, ...] = (
    FREEZE,
    BLACK,
    SOLID_COLOR,
    COLOR_LOSS,
    TEST_PATTERN,
    BLOCK_CORRUPTION,
    BLOCKINESS,
    BLUR,
    STUTTER,
    LOOP,
    FLASH,
    INTERLACING,
    LETTERBOX,
    SILENCE,
    MISSING,
    CHANNEL_LOSS,
    PHASE_INVERSION,
    DUAL_MONO,
    DC_OFFSET,
    CLIPPING,
    DISTORTION,
    DROPOUT,
    CLICK,
    STUCK,
    HUM,
    HISS,
    LOUDNESS,
    TRUE_PEAK,
    AV_OFFSET,
    GAP,
    DISCONTINUITY,
    DECODE_ERROR,
    FORMAT_CHANGE,
    STALLED,
    MISMATCH,
    FRAME_LOSS,
    OVERLOAD,
)
"""The package's own detectors."""

ENTRY_POINT_GROUP = "gpu_qa.detectors"
"""Where other packages register theirs: entry points that name a `Detector`."""


def all_detectors() -> tuple[Detector, ...]:
    """The package's own detectors and then those of other installed packages, which this imports.

    Raises:
        ConfigError: Another package's detector cannot be loaded, is none, or takes a name that is in use. The message
            names the package.
    """
    from importlib.metadata import entry_points

    detectors = list(DETECTORS)
    for entry in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: (entry.name, entry.value)):
        detectors.append(_loaded(entry, {detector.name for detector in detectors}))
    return tuple(detectors)


def _loaded(entry: EntryPoint, taken: set[str]) -> Detector:
    where = f"detector {entry.name!r} of package {entry.dist.name if entry.dist else '?'} ({entry.value})"
    try:
        detector = entry.load()
    except Exception as error:
        # Another package's import may raise anything.
        raise ConfigError(f"{where} cannot be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(detector, Detector):
        raise ConfigError(f"{where} is a {type(detector).__name__}, not a gpu_qa.series.Detector")
    if not dataclasses.is_dataclass(detector.limits) or isinstance(detector.limits, type):
        raise ConfigError(f"{where} has limits that are no instance of a dataclass")
    settings = {item.name for item in dataclasses.fields(detector.timing)} | {"enabled"}
    clashes = sorted(settings & {item.name for item in dataclasses.fields(detector.limits)})
    if clashes:
        raise ConfigError(f"{where} has limits named like a setting of every detector: {', '.join(clashes)}")
    if detector.name in taken:
        raise ConfigError(f"{where} takes the name {detector.name!r}, which is in use")
    return detector
