"""The reference way for one stream: its stretches, laid over its reference in a thread beside, as answers in order."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gpu_qa.series import DelayCurve, DelayEvidence, SyncSeries
from gpu_qa.sync.beside import Beside
from gpu_qa.sync.drift import JUMP_S, course
from gpu_qa.sync.frames import frames
from gpu_qa.sync.likeness import Likeness
from gpu_qa.sync.schedule import LAG_S, lay
from gpu_qa.sync.side import AHEAD_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.series import AudioSeries, StreamFact, VideoSeries
    from gpu_qa.sync.placing import Placing
    from gpu_qa.sync.reference import Stretch
    from gpu_qa.sync.schedule import Due, Unsettled
    from gpu_qa.sync.side import Probe

ALONE = 0.5
"""Most confidence of an answer that differs from the one before: one stretch alone may be wrong, two that overlap are
not in the same way."""
OTHER_S = 60.0
"""Seconds of other content after which what was found before is no answer any more."""
SLACK_S = 2.0
"""A file whose stretches are not laid over in time is held back; what it delivers at once until then is shorter."""
MOST_WAITING = 8
"""Stretches of a live stream that wait to be laid over, 40 s of them; further ones are passed over."""
MOST_SKEWS = 2000
"""The newest skews from which a drift is told: those of almost three hours."""
_TOO_BUSY = "this machine is too busy to lay it over the reference"


class Follower:
    """Lays one stream over its reference.

    What is told does not depend on when the thread beside has done its work: of files an answer comes once the stream
    has been read so much further that the reference must have come as far as it takes, and is waited for; of live
    streams it comes when it is known.

    Args:
        probe: Its side; belongs to this from now on.
        threaded: False lays over in the caller's thread.
    """

    def __init__(self, probe: Probe, *, threaded: bool = True) -> None:
        self._probe = probe
        self._beside = Beside(self._lay, "gpu-qa reference", threaded=threaded)
        self._unsettled: tuple[Unsettled, ...] = ()
        """Of the thread beside."""
        self._sent_s: deque[float] = deque()
        """Ends of the stretches of a file that were handed over and not told yet."""
        self._known_s = 0.0
        self._finished = False
        self._last: Stretch | None = None
        self._matched: Stretch | None = None
        self._skews: deque[tuple[float, float]] = deque(maxlen=MOST_SKEWS)
        """Middle of a stretch and its skew, both in seconds."""
        self._lost: int | None = None
        self._repeated: int | None = None
        self._likeness = Likeness(probe.reference.limits)
        self._facts: list[StreamFact] = []

    def begin(self, *, live: bool) -> None:
        """The input is open."""
        self._probe.live = live

    @property
    def known_s(self) -> float:
        """Until when all has been told, seconds of the stream's clock; infinite where nothing more will come."""
        return math.inf if self._finished or (self._probe.carry.done and not self._sent_s) else self._known_s

    def is_ahead(self, until_s: float, *, ended: bool) -> bool:
        """Whether the stream waits for its reference, or for the thread beside.

        Args:
            until_s: How far it has been read, seconds.
            ended: Nothing follows.
        """
        if self._probe.is_ahead(until_s, ended=ended):
            return True
        if self._probe.is_live or self._beside.has_failed or len(self._sent_s) <= self._beside.done:
            return False
        return ended or until_s > self._sent_s[self._beside.done] + self._told_after_s - SLACK_S

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
        for one in probe.due(finished=finished):
            self._hand_over(one, finished=finished)
        probe.reference.forget()
        is_whole = finished and not probe.is_live and probe.reference.strip.ended
        if finished:
            stretches = self._beside.take_all()
            self.close()
        elif probe.is_live:
            stretches = self._beside.take()
        else:
            count = sum(end_s + self._told_after_s <= probe.strip.until_s for end_s in self._sent_s)
            stretches = self._beside.take(count)
            for _ in range(count):
                self._sent_s.popleft()
        for stretch in stretches:
            self._facts += self._likeness.take(stretch, probe.reference.name)
            self._facts.append(frames(stretch, self._known_s, probe.reference.name))
            self._known_s = stretch.end_s
        if finished:
            self._facts += self._likeness.rest(probe.reference.name, whole=is_whole)
        return [answer for stretch in stretches if (answer := self._answer(stretch))]

    def facts(self) -> list[StreamFact]:
        """By stretch: whether it is the reference's programme, and which pictures of that it lacks or shows again.

        What has become sure since the last call.
        """
        facts, self._facts = self._facts, []
        return facts

    def close(self) -> None:
        """Nothing more is wanted."""
        self._finished = True
        self._beside.close()
        self._probe.reference.remove(self._probe)

    @property
    def _told_after_s(self) -> float:
        """How much later than a stretch's end a file tells of it: both have been read far enough by then."""
        return self._probe.limits.stretch_s + AHEAD_S + LAG_S + SLACK_S

    def _hand_over(self, one: Due, *, finished: bool) -> None:
        if not self._probe.is_live:
            self._sent_s.append(one.end_s)
        elif self._beside.waiting >= MOST_WAITING and not finished:
            nothing = replace(one.reference, pictures=(), sound=())
            one = replace(one, reference=nothing, probe=nothing, passed_over=_TOO_BUSY)
        self._beside.add(one)

    def _lay(self, one: Due) -> list[Stretch]:
        found, self._unsettled = lay(one, self._unsettled)
        return found

    def measurements(self) -> dict[str, Any]:
        """The reference's name, where the stream stands in it and what differs, JSON values.

        Where there is no offset `reason` says why.
        """
        last, matched = self._last, self._matched
        if last is not None and matched is not None and last.end_s - matched.end_s > OTHER_S and _differs(last):
            matched = None
        along = course([at_s for at_s, _ in self._skews], [skew_s for _, skew_s in self._skews])
        told: dict[str, Any] = {
            "stream": self._probe.reference.name,
            "drift_ppm": _rounded(None if along is None else along.drift_ppm, 2),
            "drift_sigma_ppm": _rounded(None if along is None else along.sigma_ppm, 2),
            "frames_lost": self._lost,
            "frames_repeated": self._repeated,
        }
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
        if stretch.lost is not None and stretch.repeated is not None:
            self._lost = (self._lost or 0) + len(stretch.lost)
            self._repeated = (self._repeated or 0) + len(stretch.repeated)
        if stretch.skew_s is None or stretch.skew_sigma_s is None:
            return None
        self._matched = stretch
        self._skews.append(((stretch.start_s + stretch.end_s) / 2, stretch.skew_s))
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
            delays=_delays(stretch, self._probe.reference.name),
        )


def _delays(stretch: Stretch, reference: str) -> DelayEvidence | None:
    """What its skew was chosen from."""
    picture, sound = _curve(stretch.picture), _curve(stretch.sound)
    if picture is None or sound is None:
        return None
    return DelayEvidence(reference, stretch.start_s, stretch.end_s, picture, sound)


def _curve(placing: Placing) -> DelayCurve | None:
    around = placing.around
    if around is None or placing.delay_s is None:
        return None
    delays_s = tuple(around.first_s + around.step_s * place for place in range(len(around.coefficient)))
    return DelayCurve(delays_s, around.coefficient, placing.delay_s)


def _differs(stretch: Stretch) -> bool:
    return "differs" in (stretch.picture.state, stretch.sound.state)


def _reason(stretch: Stretch) -> str:
    """Why there is no skew."""
    parts = [(part, name) for part, name in ((stretch.picture, "picture"), (stretch.sound, "sound"))]
    other = [name for part, name in parts if part.state == "differs"]
    if other:
        return f"other content: the {' and the '.join(other)} {'is' if len(other) == 1 else 'are'} not in the reference"
    return "; ".join(dict.fromkeys(part.reason for part, _ in parts if part.reason is not None))


def _rounded(value: float | None, digits: int = 4) -> float | None:
    return None if value is None else round(value, digits)
