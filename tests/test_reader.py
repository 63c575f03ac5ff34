"""The reader of a live input: what it leaves waiting, and what it leaves out."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any

from gpu_qa import reader
from gpu_qa.decode import DecodeSettings
from gpu_qa.overload import Overload, Turn
from gpu_qa.sources import open_source
from tests.clips import cached_clip
from tests.engine_run import CPU, LIVE

if TYPE_CHECKING:
    import pytest

    from gpu_qa.media import Packet


def test_what_a_live_input_leaves_waiting_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though nobody takes anything: the reader of our results may have stopped reading."""
    monkeypatch.setattr(reader, "LIVE_PATIENCE_S", 0.0)
    monkeypatch.setattr(reader, "MOST_PACKETS", 30)
    path = str(cached_clip("guest.ts", seconds=30, size=(64, 48), gop=12))
    live = dataclasses.replace(CPU.decode)
    taking = reader.Reader(lambda: open_source(path, LIVE.source), live)
    taking.start()
    until_s = time.monotonic() + 60
    while len(taking._mailbox) < 30 and time.monotonic() < until_s:
        time.sleep(0.01)
    time.sleep(0.3)
    assert len(taking._mailbox) == 30
    assert taking.dropped > 0
    taking.abandon()
    taking.close()
    assert (taking.finished, taking.has_more) == (True, False)


def test_what_a_decoder_held_is_compared_and_what_comes_behind_a_gap_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    class Skipping(Overload):
        """Leaves the last four pictures before the third key frame out."""

        seen = -1

        def next(self, packet: Packet, waited_s: float, read_s: float) -> Turn:
            if packet.track.kind != "video":
                return Turn(decode=True)
            self.seen += 1
            return Turn(decode=not 20 <= self.seen < 24, begins=self.seen == 20)

    monkeypatch.setattr(reader, "Overload", Skipping)
    path = str(cached_clip("guest.ts", seconds=30, size=(64, 48), gop=12))
    # Several threads hold pictures back.
    taking = reader.Reader(lambda: open_source(path, LIVE.source), DecodeSettings(device="cpu", threads=4))
    taking.start()
    pictures: list[Any] = []
    until_s = time.monotonic() + 60
    while len(pictures) < 40 and time.monotonic() < until_s:
        pictures += [picture for delivery in taking.take() for picture in delivery.pictures]
    taking.abandon()
    taking.close()
    assert [number for number, picture in enumerate(pictures[:40]) if not picture.comparable] == [0, 20]
