"""The analysis of one input by itself: the engine with one stream."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from gpu_qa.pipeline import Engine

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from gpu_qa.config import Settings
    from gpu_qa.series import Event, Report
    from gpu_qa.stream import Progress


class Analysis:
    """One input by itself. Iterate it for events as they open, grow and close; then ask `report()`.

    Args:
        source: Path, URL, `-` for standard input, or a binary file object.
        settings: How it is opened, decoded and judged.
        duration_s: Stop after this much of the stream; null goes on to its end.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | BinaryIO,
        settings: Settings | None = None,
        *,
        duration_s: float | None = None,
    ) -> None:
        self._engine = Engine()
        self._stream = self._engine.add(source, settings, duration_s=duration_s)
        self._run = False

    def stop(self) -> None:
        """End soon, with what is known. May be called from any thread or a signal handler."""
        self._engine.stop()

    @property
    def progress(self) -> Progress:
        """How far it has come; may be read from any thread."""
        return self._stream.progress

    @property
    def failure(self) -> Exception | None:
        """What ended the analysis that should not have happened; the report's error names it."""
        return self._stream.failure

    def __iter__(self) -> Iterator[Event]:
        """Run the analysis. An input that fails does not raise: what was found is told and `report().error` says why.

        Raises:
            RuntimeError: The analysis was run before.
        """
        if self._run:
            raise RuntimeError("an Analysis runs once; make a new one")
        self._run = True
        with contextlib.closing(iter(self._engine)) as updates:  # type: ignore[type-var]
            for update in updates:
                if update.event is not None:
                    yield update.event

    def report(self) -> Report:
        """What is known so far; complete once the iteration has ended."""
        return self._stream.report()


def analyze(
    source: str | os.PathLike[str] | BinaryIO,
    settings: Settings | None = None,
    *,
    on_event: Callable[[Event], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    duration_s: float | None = None,
) -> Report:
    """Analyze one input to its end.

    Args:
        source: Path, URL, `-` for standard input, or a binary file object.
        settings: How it is opened, decoded and judged; null takes the defaults.
        on_event: Called with each event as it opens, grows and closes.
        on_progress: Called after each event and at the end; poll `Analysis.progress` for more.
        duration_s: Stop after this much of the stream.

    Returns:
        The report. An input that cannot be analyzed does not raise: `Report.error` says why.
    """
    analysis = Analysis(source, settings, duration_s=duration_s)
    for event in analysis:
        if on_event is not None:
            on_event(event)
        if on_progress is not None:
            on_progress(analysis.progress)
    if on_progress is not None:
        on_progress(analysis.progress)
    return analysis.report()
