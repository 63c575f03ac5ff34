"""The reference way for one stream: its stretches, laid over its reference, as answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gpu_qa.series import SyncSeries
from gpu_qa.sync.drift import JUMP_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.series import AudioSeries, VideoSeries
    from gpu_qa.sync.reference import Stretch
    from gpu_qa.sync.side import Probe

ALONE = 0.5
"""Most confidence of an answer that differs from the one before: one stretch alone may be wrong, two that overlap are
not in the same way."""
OTHER_S = 60.0
"""Seconds of other content after which what was found before is no answer any more."""


class Follower:
    """Lays one stream over its reference.

    Args:
        probe: Its side; belongs to this from now on.
    """

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._last: Stretch | None = None
        self._matched: Stretch | None = None

    def begin(self, *, live: bool) -> None:
        """The input is open."""
        self._probe.live = live

    def is_ahead(self, until_s: float, *, ended: bool) -> bool:
        """As `Probe.is_ahead`."""
        return self._probe.is_ahead(until_s, ended=ended)

    def take(
        self,
        video: Sequence[VideoSeries],
        audio: Sequence[AudioSeries],
        *,
        until_s: float,
        now_s: float,
        finished: bool = False,
    ) -> list[SyncSeries]:
        """Take what became complete; the answers that become known with it.

        Args:
            video: Series of the picture.
            audio: Series of sound.
            until_s: How far the stream has come, seconds.
            now_s: Seconds of the wall clock.
            finished: Nothing follows: all answers.
        """
        probe = self._probe
        probe.extend(video, audio, until_s=until_s, now_s=now_s if probe.live else None, ended=finished)
        answers = [answer for stretch in probe.align(finished=finished) if (answer := self._answer(stretch))]
        probe.reference.forget()
        if finished:
            self.close()
        return answers

    def close(self) -> None:
        """Nothing more is wanted."""
        self._probe.reference.remove(self._probe)

    def measurements(self) -> dict[str, Any]:
        """The reference's name and where the stream stands in it, JSON values; null has its `reason` beside it."""
        last, matched = self._last, self._matched
        if last is not None and matched is not None and last.end_s - matched.end_s > OTHER_S and _differs(last):
            matched = None
        told: dict[str, Any] = {"stream": self._probe.reference.name}
        if matched is None:
            return told | {
                "offset_s": None,
                "sigma_s": None,
                "confidence": 0.0,
                "picture_delay_s": _rounded(None if last is None else last.picture.delay_s),
                "sound_delay_s": _rounded(None if last is None else last.sound.delay_s),
                "reason": "nothing of it could be laid over the reference" if last is None else _reason(last),
            }
        return told | {
            "picture_delay_s": _rounded(matched.picture.delay_s),
            "sound_delay_s": _rounded(matched.sound.delay_s),
            "reason": None,
        }

    def _answer(self, stretch: Stretch) -> SyncSeries | None:
        before, self._last = self._matched, stretch
        if stretch.skew_s is None or stretch.skew_sigma_s is None:
            return None
        self._matched = stretch
        borne_out = before is None or before.skew_s is None or abs(before.skew_s - stretch.skew_s) <= JUMP_S
        start_s = stretch.start_s if before is None else max(stretch.start_s, before.end_s)
        return SyncSeries(
            way="reference",
            track=self._probe.strip.track or 0,
            start_s=np.array([start_s]),
            end_s=np.array([stretch.end_s]),
            offset_s=np.array([stretch.skew_s]),
            sigma_s=np.array([stretch.skew_sigma_s]),
            confidence=np.array([stretch.confidence if borne_out else min(stretch.confidence, ALONE)], np.float32),
        )


def _differs(stretch: Stretch) -> bool:
    return "differs" in (stretch.picture.state, stretch.sound.state)


def _reason(stretch: Stretch) -> str:
    """Why there is no skew."""
    parts = [(part, name) for part, name in ((stretch.picture, "picture"), (stretch.sound, "sound"))]
    other = [name for part, name in parts if part.state == "differs"]
    if other:
        return f"other content: the {' and the '.join(other)} {'is' if len(other) == 1 else 'are'} not in the reference"
    return "; ".join(dict.fromkeys(part.reason for part, _ in parts if part.reason is not None))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
