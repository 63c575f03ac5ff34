"""The A/V offset of one stream: every way to know it is asked, and what they answer is kept for the report."""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from gpu_qa.sinks.sync import SyncRecorder
from gpu_qa.sync.content import own_weights, shipped_weights
from gpu_qa.sync.follower import Follower
from gpu_qa.sync.listener import Listener
from gpu_qa.sync.marker import marker_step, marker_sync
from gpu_qa.sync.material import why_too_little
from gpu_qa.sync.precedence import Precedence, counting
from gpu_qa.sync.timestamps import timestamp_step, timestamp_sync

if TYPE_CHECKING:
    from gpu_qa.config import Settings
    from gpu_qa.features import Measured
    from gpu_qa.media import MediaFacts
    from gpu_qa.series import Curve, DelayEvidence, LagEvidence, StreamFact, StreamSeries, SyncSeries
    from gpu_qa.sync.content import Weights
    from gpu_qa.sync.marker import MarkerCarry, MarkerSync
    from gpu_qa.sync.side import Reference
    from gpu_qa.sync.timestamps import TimestampCarry, TimestampSync


def weights_of(settings: Settings) -> Weights:
    """The weights by which a stream with these settings is listened to; each file is read once.

    Raises:
        ConfigError: They cannot be read.
    """
    chosen = settings.detectors.get("av_offset")
    own = chosen.limits.weights if chosen is not None else None
    return shipped_weights() if own is None else own_weights(own)


class StreamSync:
    """Asks all ways, in one thread at a time.

    Args:
        settings: Of the stream; those of the detector `av_offset` may name weights.
        reference: What the stream is laid over, from now on; null where it has none.

    Raises:
        ConfigError: The weights cannot be read.
    """

    def __init__(self, settings: Settings, reference: Reference | None = None) -> None:
        self._listener = Listener(weights_of(settings))
        self._device: Any = None
        self._marker: MarkerCarry | None = None
        self._timestamps: TimestampCarry | None = None
        self._recorder = SyncRecorder()
        self._until_s = 0.0
        self._precedence = Precedence()
        # Last: the reference waits for whom it has.
        self._follower = None if reference is None else Follower(reference.add())

    def begin(self, *, live: bool) -> None:
        """The input is open."""
        if self._follower is not None:
            self._follower.begin(live=live)

    def lies_on(self, device: Any) -> None:
        """Its pictures lie on a card, a torch device: what is seen and heard is compared there."""
        if device != self._device:
            from gpu_qa.sync.together import card_scores

            self._device = device
            self._listener.use(card_scores(device))

    @property
    def has_reference(self) -> bool:
        """Whether another stream is laid over it, which may have answers while nothing comes of this one."""
        return self._follower is not None

    def is_ahead(self, until_s: float, *, ended: bool) -> bool:
        """Whether the stream waits for its reference.

        Args:
            until_s: How far it has been read, seconds.
            ended: Nothing follows.
        """
        return self._follower is not None and self._follower.is_ahead(until_s, ended=ended)

    def take(self, measured: Measured, *, until_s: float, finished: bool = False) -> list[SyncSeries]:
        """The answers by marker, by reference and by content that become known with these series, or at last.

        They are those that are to be judged: a weaker way does not count while a stronger one is sure.

        Args:
            measured: What became complete.
            until_s: How far the stream has come, seconds.
            finished: Nothing follows.
        """
        self._recorder.reached(until_s, measured.jumps_s)
        if self._follower is None and not (measured.video or measured.audio or measured.jumps_s or finished):
            return []
        answers: list[SyncSeries] = []
        for video in measured.video:
            found, self._marker = marker_step(video, None, self._marker)
            answers += found
        for audio in measured.audio:
            found, self._marker = marker_step(None, audio, self._marker)
            answers += found
        if finished:
            found, self._marker = marker_step(None, None, self._marker, finished=True)
            answers += found
        if self._follower is not None:
            answers += self._follower.take(
                measured.video, measured.audio, until_s=until_s, now_s=time.monotonic(), finished=finished
            )
        answers += self._listener.take(measured.video, measured.audio, jumps_s=measured.jumps_s, finished=finished)
        known_s = math.inf if self._follower is None else self._follower.known_s
        told, self._precedence = counting(self._precedence, answers, known_s)
        for one in told:
            self._recorder.add(one.answer, is_heeded=one.is_heeded)
        return [one.answer for one in told if one.counts]

    def facts(self) -> list[StreamFact]:
        """As in `Follower.facts`; none without a reference."""
        return [] if self._follower is None else self._follower.facts()

    def note(self, series: StreamSeries) -> None:
        """Keep what timestamps say, and how far the stream has come, whether or not anything came of it."""
        self._until_s = max(self._until_s, series.until_s)
        self._recorder.reached(series.until_s)
        shifts, self._timestamps = timestamp_step(series, self._timestamps)
        for shift in shifts:
            self._recorder.add(shift)

    def close(self) -> None:
        """Nothing more is wanted."""
        self._listener.close()
        if self._follower is not None:
            self._follower.close()

    def curves(self) -> tuple[Curve, ...]:
        """How the offset went over time."""
        return self._recorder.curves()

    @property
    def lags(self) -> LagEvidence | None:
        """What the last answer by content was chosen from."""
        return self._recorder.lags

    @property
    def delays(self) -> DelayEvidence | None:
        """What the last answer by reference was chosen from."""
        return self._recorder.delays

    def measurements(self, facts: MediaFacts | None) -> dict[str, Any]:
        """All that is known of the offset, JSON values; null has its reason beside it."""
        kinds = {track.kind for track in facts.tracks} if facts else {"video", "audio"}
        reason = None
        if kinds != {"video", "audio"}:
            reason = "there is no picture" if "video" not in kinds else "there is no sound"
        reference = None if self._follower is None else self._follower.measurements()
        markers = marker_sync(self._marker)
        too_little = why_too_little(self._listener.material, self._until_s)
        return self._recorder.measurements(reason, markers=markers, reference=reference, too_little=too_little) | {
            "av_markers": [_rounded(one) for one in markers if one.pairs],
            "av_timestamps": [_rounded(one) for one in timestamp_sync(self._timestamps)],
        }


def _rounded(told: MarkerSync | TimestampSync) -> dict[str, Any]:
    """What is told of a track, JSON values."""
    return {key: round(value, 6) if isinstance(value, float) else value for key, value in asdict(told).items()}


NOT_ASKED: dict[str, Any] = SyncRecorder().measurements("no detector that runs judges it") | {
    "av_markers": [],
    "av_timestamps": [],
}
"""The measurements of a stream whose offset nobody asks for."""
