"""Faults of a transport stream (ISO/IEC 13818-1): packets that are lost, a clock that jumps.

The finished file is read packet by packet and written anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gpu_qa.inject.fault import Planting, TransportFault

PACKET = 188
_SYNC = 0x47
_CLOCK_HZ = 90_000
_WRAP = 1 << 33
_HAS_PTS, _HAS_DTS = 0x80, 0x40


class TransportLoss:
    """Packets of the picture do not arrive, the first one and others by chance; the continuity counter shows it."""

    def __init__(self, planting: Planting) -> None:
        self._share = planting.strength
        self._rng = planting.rng()
        self._has_hit = False

    def take(self, packet: bytes, pid: int, is_video: bool, inside: bool) -> bytes | None:
        """See `TransportFault`."""
        if inside and is_video and (self._rng.random() < self._share or not self._has_hit):
            self._has_hit = True
            return None
        return packet


class Discontinuity:
    """From the start on all timestamps and the clock reference are shifted.

    Pictures arrive in the order of their decoding: what follows the first one of the stretch jumps with it, even where
    it is shown before that one.
    """

    def __init__(self, planting: Planting) -> None:
        self._ticks = round(planting.strength * _CLOCK_HZ)
        self._has_jumped = False

    def take(self, packet: bytes, pid: int, is_video: bool, inside: bool) -> bytes:
        """See `TransportFault`."""
        self._has_jumped = self._has_jumped or inside
        return shifted(packet, self._ticks) if self._has_jumped else packet


class Shift:
    """From the start on the timestamps of one track are shifted, and those of the others and the clock are not."""

    def __init__(self, planting: Planting) -> None:
        self._ticks = round(planting.strength * _CLOCK_HZ)
        self._of_picture = planting.word("track") == "video"
        self._has_begun = False

    def take(self, packet: bytes, pid: int, is_video: bool, inside: bool) -> bytes:
        """See `TransportFault`."""
        if is_video != self._of_picture:
            return packet
        self._has_begun = self._has_begun or inside
        return shifted(packet, self._ticks, clock=False) if self._has_begun else packet


def rewrite(
    path: Path, faults: Sequence[tuple[Planting, TransportFault]], video_pid: int, zero_pts: int
) -> list[float | None]:
    """Damage a transport stream in place.

    Args:
        path: The file.
        faults: What is planted, with the stretch in which it lasts.
        video_pid: Of the packets of the picture.
        zero_pts: Timestamp of the first picture, in ticks of 90 kHz.

    Returns:
        For each fault the earliest time of a picture from whose arrival on packets were changed, in seconds; null
        where none was.
    """
    earliest: list[float | None] = [None] * len(faults)
    part = path.with_name(f"{path.name}.rewritten")
    at_s = 0.0
    with path.open("rb") as source, part.open("wb") as target:
        while packet := source.read(PACKET):
            pid = (packet[1] & 0x1F) << 8 | packet[2]
            if pid == video_pid and (pts := _time_of(packet)) is not None:
                at_s = (pts - zero_pts) / _CLOCK_HZ
            for number, (planting, fault) in enumerate(faults):
                inside = at_s >= planting.start_s if planting.fault.instant else planting.covers(at_s)
                changed = fault.take(packet, pid, pid == video_pid, inside)
                if changed != packet:
                    before_s = earliest[number]
                    earliest[number] = at_s if before_s is None else min(before_s, at_s)
                if changed is None:
                    break
                packet = changed
            else:
                target.write(packet)
    part.replace(path)
    return earliest


def first_time(path: Path, pid: int) -> int | None:
    """Earliest timestamp among the first pictures of a track, in ticks of 90 kHz; null where there is none."""
    times: list[int] = []
    with path.open("rb") as source:
        while len(times) < 32 and (packet := source.read(PACKET)):
            if ((packet[1] & 0x1F) << 8 | packet[2]) == pid and (pts := _time_of(packet)) is not None:
                times.append(pts)
    return min(times) if times else None


def shifted(packet: bytes, ticks: int, *, clock: bool = True) -> bytes:
    """A packet whose timestamps are later by so many ticks of 90 kHz, modulo 2³³; its `clock` reference as well."""
    changed = bytearray(packet)
    if packet[0] != _SYNC:
        return packet
    has_field, has_payload = packet[3] & 0x20, packet[3] & 0x10
    at = 4
    if has_field:
        length = packet[4]
        if clock and length and packet[5] & 0x10:
            base = int.from_bytes(packet[6:11], "big") >> 7
            low = int.from_bytes(packet[6:12], "big") & 0x7FFF
            changed[6:12] = (((base + ticks) % _WRAP) << 15 | low).to_bytes(6, "big")
        at = 5 + length
    if has_payload and packet[1] & 0x40 and packet[at : at + 3] == b"\x00\x00\x01" and at + 9 <= PACKET:
        flags = packet[at + 7]
        for bit, place in ((_HAS_PTS, at + 9), (_HAS_DTS, at + 14)):
            if flags & bit and place + 5 <= PACKET:
                value = (_read_time(packet[place : place + 5]) + ticks) % _WRAP
                changed[place : place + 5] = _written_time(value, packet[place] & 0xF0)
    return bytes(changed)


def _time_of(packet: bytes) -> int | None:
    """The presentation time that begins in a packet."""
    if packet[0] != _SYNC or not packet[1] & 0x40 or not packet[3] & 0x10:
        return None
    at = 5 + packet[4] if packet[3] & 0x20 else 4
    if packet[at : at + 3] != b"\x00\x00\x01" or at + 14 > PACKET or not packet[at + 7] & _HAS_PTS:
        return None
    return _read_time(packet[at + 9 : at + 14])


def _read_time(five: bytes) -> int:
    return (five[0] >> 1 & 7) << 30 | five[1] << 22 | (five[2] >> 1) << 15 | five[3] << 7 | five[4] >> 1


def _written_time(value: int, mark: int) -> bytes:
    return bytes(
        [
            mark | value >> 29 & 0x0E | 1,
            value >> 22 & 0xFF,
            value >> 14 & 0xFE | 1,
            value >> 7 & 0xFF,
            value << 1 & 0xFE | 1,
        ]
    )
