"""A stream's seat: a live input is silent only where nothing waits in its mailbox."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gpu_qa import reader, seat
from gpu_qa.sources import open_source
from gpu_qa.stream import StreamAnalysis
from tests.clips import cached_clip
from tests.engine_run import CPU, PACED

if TYPE_CHECKING:
    import pytest


def test_a_live_input_that_waits_in_the_mailbox_has_not_stalled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine was kept by somebody else for longer than what counts as silence."""
    monkeypatch.setattr(seat, "QUIET_S", 0.3)
    path = str(cached_clip("guest.ts", seconds=30, size=(64, 48), gop=12))
    taking = reader.Reader(lambda: open_source(path, PACED.source), CPU.decode)
    stream = StreamAnalysis("live", CPU)
    taken = seat.Seat(stream, taking, None, queues=False)
    taking.start()
    while not taking.has_more:
        time.sleep(0.01)
    list(taken.judge([], {}, lambda _, name: name))
    assert stream.begun
    time.sleep(0.6)
    assert list(taken.judge([], {}, lambda _, name: name)) == []
    assert stream.progress.position_s == 0
    silent = []
    monkeypatch.setattr(StreamAnalysis, "quiet", lambda _, silent_s: iter(silent.append(silent_s) or ()))  # type: ignore[func-returns-value]
    time.sleep(0.6)
    list(taken.judge([], {}, lambda _, name: name))
    assert silent == []
    monkeypatch.setattr(reader.Reader, "has_more", property(lambda _: False))
    time.sleep(0.6)
    list(taken.judge([], {}, lambda _, name: name))
    assert len(silent) == 1
    taking.close()
