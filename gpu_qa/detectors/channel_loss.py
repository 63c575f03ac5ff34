"""Channel loss: a channel falls silent while the one that belongs to it goes on with the programme."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.detectors.centre_loss import Centre, centre_of, centre_weighed
from gpu_qa.detectors.channel_pairs import channel_pairs
from gpu_qa.detectors.hop_cells import CELL_HOPS, hop_cells
from gpu_qa.detectors.loss_evidence import LossSteps, loss_evidence, mean_levels
from gpu_qa.series import SEVERITIES, Detector, EventTiming

if TYPE_CHECKING:
    from gpu_qa.detectors.hop_cells import HopCells, HopsKept
    from gpu_qa.series import AudioSeries, Evidence

_HISTORY_CELLS = 200
"""Cells of 0.1 s with sound that a channel's history is made of: 20 s."""
_HOPS_PER_S = 100
_QUIETEST_DBFS = -70.0
"""Below this neither channel says anything."""


@dataclass(frozen=True, slots=True)
class ChannelLossLimits:
    """When a channel counts as lost. How long it must be is `raise_after_s`."""

    raise_below_db: float = 32.0
    """Lost at this much below the other channel of its pair or more, over 10 ms. Ours: what AAC, MP2, MP3 and AC-3
    leave of a muted channel is 60 dB and more below the other, Opus leaves 34 dB; a hard-panned voice leaves 15 to
    25 dB in the other channel."""
    heard_below_db: float = 20.0
    """Heard when it is less than this below the other; ours."""
    audible_dbfs: float = -60.0
    """The other channel must reach this level within the loss: below it is silence (FFmpeg silencedetect). Ours."""
    heard_share: float = 0.6
    """Both channels must have been heard in this share of the 20 s with sound before; ours: of two voices that are
    panned left and right, one is heard at a time."""
    heard_s: float = 0.5
    """And so long at least; ours."""
    never_after_s: float = 60.0
    """A channel that was not heard from the start is told, for information, once the other has gone on for this long:
    it may be meant. Ours."""
    centre_dbfs: float = -80.0
    """A centre above it is not lost. Ours: what AC-3 leaves of a muted one is −103 dBFS at most; pauses of speech in a
    mix have a room."""
    centre_after_s: float = 10.0
    """A centre is told once it has been lost for so long, and twice as long as it ever was in the minute before: some
    mixes have nothing at all in it while nobody speaks. Ours."""

    def __post_init__(self) -> None:
        if not 0 < self.heard_below_db < self.raise_below_db:
            raise ValueError("0 < heard_below_db < raise_below_db must hold")
        if not 0 <= self.heard_share <= 1:
            raise ValueError("heard_share must be between 0 and 1")
        if not self.heard_s > 0 or not self.never_after_s >= 0:
            raise ValueError("heard_s must be above 0 and never_after_s 0 or more")
        if not self.centre_dbfs < self.audible_dbfs or not self.centre_after_s > 0:
            raise ValueError("centre_dbfs must be below audible_dbfs, and centre_after_s above 0")


@dataclass(frozen=True, slots=True)
class _Loss:
    """A stretch in which a channel is lost."""

    start_s: float
    onset: str
    """`drop`: it was heard before. `start`: it never was. `sparse`: too seldom to be missed."""
    sound_hops: int = 0
    """Hops in which the other channel went on."""
    is_audible: bool = False


@dataclass(frozen=True, slots=True)
class _Channel:
    """What is known of one channel."""

    history: tuple[tuple[int, int, int], ...] = ()
    """Of the last cells with sound: hops with sound, those in which the channel was heard, and those in which both
    were."""
    loss: _Loss | None = None


@dataclass(frozen=True, slots=True)
class _TrackCarry:
    kept: HopsKept
    channels: dict[int, _Channel]
    centre: Centre


@dataclass(frozen=True, slots=True)
class ChannelLossCarry:
    """What is known of every track."""

    tracks: dict[int, _TrackCarry] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Hops:
    """One cell's hops of a channel, arrays [`CELL_HOPS`]."""

    start_s: np.ndarray
    is_sound: np.ndarray
    """Either channel of the pair sounds."""
    is_lost: np.ndarray
    is_heard: np.ndarray
    is_audible: np.ndarray
    """The other channel is loud enough for the loss to be noticed."""


def channel_loss(
    series: AudioSeries, limits: ChannelLossLimits = ChannelLossLimits(), carry: ChannelLossCarry | None = None
) -> tuple[list[Evidence], ChannelLossCarry]:
    """Weigh how far either channel of every pair lies below the other, and the centre below the front pair.

    Args:
        series: Consecutive hops of one track.
        limits: When a channel counts as lost.
        carry: From the series before; null at the start of a stream.

    Returns:
        Evidence per channel of a pair, and of the centre, with one step per 0.1 s, whose value is how far it lies below
        the other in dB.
    """
    tracks = dict(carry.tracks) if carry is not None else {}
    pairs = channel_pairs(series.channels)
    if not len(series) or not pairs:
        return [], ChannelLossCarry(tracks)
    before = tracks.get(series.track)
    cells, kept = hop_cells(series, ("power", "pts_s", "end_s"), before.kept if before is not None else None)
    known = before.channels if before is not None and before.kept.channels == series.channels else {}
    channels = dict(known)
    centre = before.centre if before is not None and known else Centre()
    found = []
    if len(cells):
        power = cells.hops["power"].astype(np.float64)
        for pair in pairs:
            left, right = power[..., 2 * pair], power[..., 2 * pair + 1]
            flags = _pair_flags(left, right, limits)
            for own, other in ((2 * pair, 2 * pair + 1), (2 * pair + 1, 2 * pair)):
                channel = channels.get(own, _Channel())
                if cells.anew:
                    channel = replace(channel, loss=None)
                levels = (power[..., own], power[..., other])
                evidence, channels[own] = _weighed(series, cells, levels, (own, other), flags[own % 2], channel, limits)
                found.append(evidence)
        if centre_of(series.channels) is not None:
            evidence, centre = centre_weighed(series, cells, centre, limits)
            found.append(evidence)
    tracks[series.track] = _TrackCarry(kept, channels, centre)
    return found, ChannelLossCarry(tracks)


@dataclass(frozen=True, slots=True)
class _Flags:
    """What each hop of a channel is, bool [N, `CELL_HOPS`], and per cell how many hops are, [N]."""

    is_sound: np.ndarray
    is_lost: np.ndarray
    is_heard: np.ndarray
    sound: np.ndarray
    lost: np.ndarray
    heard: np.ndarray
    both: np.ndarray
    """Hops in which both channels are heard."""


def _pair_flags(left: np.ndarray, right: np.ndarray, limits: ChannelLossLimits) -> tuple[_Flags, _Flags]:
    """Of the left and the right of a pair, of their hops' power, float64 [N, `CELL_HOPS`] each."""
    lost_share, heard_share = 10.0 ** (-limits.raise_below_db / 10.0), 10.0 ** (-limits.heard_below_db / 10.0)
    is_sound = np.maximum(left, right) > 10.0 ** (_QUIETEST_DBFS / 10.0)
    lost = is_sound & (left <= right * lost_share), is_sound & (right <= left * lost_share)
    heard = is_sound & (left > right * heard_share), is_sound & (right > left * heard_share)
    sound, both = is_sound.sum(axis=1), (heard[0] & heard[1]).sum(axis=1)
    one, other = (
        _Flags(is_sound, is_lost, is_heard, sound, is_lost.sum(axis=1), is_heard.sum(axis=1), both)
        for is_lost, is_heard in zip(lost, heard, strict=True)
    )
    return one, other


def _weighed(
    series: AudioSeries,
    cells: HopCells,
    power: tuple[np.ndarray, np.ndarray],
    index: tuple[int, int],
    flags: _Flags,
    channel: _Channel,
    limits: ChannelLossLimits,
) -> tuple[Evidence, _Channel]:
    """One channel's evidence, and what is known of it afterwards.

    Args:
        series: Names the track and its channels.
        cells: Times of the cells.
        power: Per hop of the channel and of its partner, float64 [N, `CELL_HOPS`] each.
        index: Of the channel and of its partner.
        flags: What the channel's hops are.
        channel: What was known before.
        limits: When a channel counts as lost.
    """
    own, other = power
    is_sound, is_lost, is_heard = flags.is_sound, flags.is_lost, flags.is_heard
    sound, lost, heard, both = flags.sound, flags.lost, flags.heard, flags.both
    cells_heard = list(zip(sound.tolist(), heard.tolist(), both.tolist(), strict=True))
    steps = LossSteps.of(cells, np.where(heard > 0, -1, 0).astype(np.int8))
    history, loss, levels = list(channel.history), channel.loss, None
    if loss is None and not lost.any():
        history += [hops for hops in cells_heard if hops[0]]
    else:
        is_audible = other > 10.0 ** (limits.audible_dbfs / 10.0)
        for cell in range(len(cells)):
            hops = _Hops(cells.hops["pts_s"][cell], is_sound[cell], is_lost[cell], is_heard[cell], is_audible[cell])
            loss = _judged(steps, cell, loss, history, hops, limits)
            if sound[cell]:
                history.append(cells_heard[cell])
        levels = mean_levels(own, is_lost), mean_levels(other, is_lost)
    evidence = loss_evidence(
        series, steps, levels, (series.channels[index[0]], series.channels[index[1]]), limits.raise_below_db
    )
    return evidence, _Channel(tuple(history[-_HISTORY_CELLS:]), loss)


def _judged(
    steps: LossSteps,
    cell: int,
    loss: _Loss | None,
    history: list[tuple[int, int, int]],
    hops: _Hops,
    limits: ChannelLossLimits,
) -> _Loss | None:
    """Tell a cell's step from what is known, and return the loss that goes on after it.

    A cell in which the channel is lost and heard is an edge: the loss begins or ends at one of its hops.
    """
    lost, heard = np.flatnonzero(hops.is_lost), np.flatnonzero(hops.is_heard)
    end_s = float(steps.end_s[cell])
    goes_on = True
    if len(heard):
        if loss is not None and len(lost) and lost[0] < heard[0]:
            end_s, goes_on = float(hops.start_s[heard[0]]), False
        elif len(lost) and lost[-1] > heard[-1]:
            loss = _Loss(
                float(hops.start_s[min(heard[-1] + 1, CELL_HOPS - 1)]), _onset(history[-_HISTORY_CELLS:], limits)
            )
        else:
            return None
    elif len(lost) and loss is None:
        loss = _Loss(float(hops.start_s[0]), _onset(history[-_HISTORY_CELLS:], limits))
    if loss is None:
        return None
    if len(lost) == 0 and not loss.is_audible:
        return loss
    loss = replace(
        loss,
        sound_hops=loss.sound_hops + int(np.count_nonzero(hops.is_sound)),
        is_audible=loss.is_audible or bool(hops.is_audible.any()),
    )
    is_told = loss.is_audible and (
        loss.onset == "drop" or (loss.onset == "start" and loss.sound_hops >= limits.never_after_s * _HOPS_PER_S)
    )
    if is_told and len(lost):
        steps.verdict[cell] = 1
        steps.start_s[cell], steps.end_s[cell] = loss.start_s, end_s
        steps.onset[cell] = loss.onset
        steps.cap[cell] = SEVERITIES.index("info" if loss.onset == "start" else "critical")
    return loss if goes_on else None


def _onset(history: list[tuple[int, int, int]], limits: ChannelLossLimits) -> str:
    """What a loss that begins now is, by the sound before it."""
    sound, heard, both = (sum(column) for column in zip(*history, strict=True)) if history else (0, 0, 0)
    if heard == 0:
        return "start"
    # A channel that was heard alone has handed over to the other one.
    is_missed = both >= limits.heard_s * _HOPS_PER_S and both >= limits.heard_share * sound
    return "drop" if is_missed else "sparse"


CHANNEL_LOSS = Detector(
    name="channel_loss",
    kinds=("audio.channel_loss",),
    consumes="audio",
    weigh=channel_loss,
    limits=ChannelLossLimits(),
    timing=EventTiming(raise_after_s=1.0, clear_after_s=0.3, major_after_s=5.0, critical_after_s=15.0),
    summary="One channel of a pair, or the centre, falls silent while the others go on.",
    source="ours: 32 dB below the other channel for 1 s, by channels muted under AAC, MP2, MP3, AC-3 and Opus",
)
