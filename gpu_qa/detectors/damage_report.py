"""Damage report: what decoder or transport have complained of, until a key frame makes the picture whole."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

_HEAL_S = 3.0
"""Damage is over this long after its last report even without a key frame: streams without any refresh within it."""
_SMEAR_STEP, _SMEAR_TEXTURE = 0.0015, 0.004
"""A tile is smeared when its rows differ by less than the first but its columns by more than the second, as fractions
of full scale: what concealment makes of the last row that it has."""
_SMEAR_AREA = 0.04
"""Share of the tiles that must be smeared more than before the damage; ours."""


@dataclass(frozen=True, slots=True)
class Report:
    """Damage that was reported and that no key frame has healed since."""

    since_s: float
    last_s: float
    """Start of the last picture that it was reported of."""
    smeared_before: float
    """Share of smeared tiles before it, 0…1."""
    before_first_key: bool
    """Whoever tunes in in mid-GOP sees it; no fault of the stream."""
    pictures: int = 0
    is_decoder: bool = False
    """The decoder has complained, not the transport alone."""
    on_grid: bool = False
    """The picture has shown it by seams on the grid."""
    is_smeared: bool = False
    """The picture has shown it by smears."""

    @property
    def is_seen(self) -> bool:
        """The picture has shown it."""
        return self.on_grid or self.is_smeared


def followed(
    report: Report | None,
    *,
    now_s: float,
    is_damaged: bool,
    is_decoder: bool,
    is_seen: bool,
    smeared: float,
    smeared_before: float,
    before_first_key: bool,
) -> Report | None:
    """What is known of reported damage after one more picture.

    Args:
        report: What was known before it; null where nothing was wrong.
        now_s: Start of the picture.
        is_damaged: Decoder or transport complain of it.
        is_decoder: The decoder does.
        is_seen: Seams on the grid show damage.
        smeared: Share of the tiles that look smeared, 0…1.
        smeared_before: The same of the picture before; asked for only where nothing was wrong.
        before_first_key: No key frame has been seen yet.

    Returns:
        What is known now; null where nothing is wrong, or no longer.
    """
    if is_damaged:
        if report is None:
            report = Report(now_s, now_s, smeared_before, before_first_key)
        report = replace(report, last_s=now_s, pictures=report.pictures + 1, is_decoder=report.is_decoder or is_decoder)
    if report is None or (now_s - report.last_s > _HEAL_S and not is_seen):
        return None
    is_smeared = report.is_smeared or smeared > report.smeared_before + _SMEAR_AREA
    if (is_seen, is_smeared) != (report.on_grid, report.is_smeared):
        report = replace(report, on_grid=report.on_grid or is_seen, is_smeared=is_smeared)
    return report


def smeared_tiles(gradient: np.ndarray) -> np.ndarray:
    """Tiles that look as if concealment had drawn them out downwards, bool [R, K] of float32 [2, R, K]."""
    across, down = gradient
    return np.asarray((down < _SMEAR_STEP) & (across > _SMEAR_TEXTURE))
