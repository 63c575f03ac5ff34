"""Message: the line that tells a person what happened, from a detector's template."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpu_qa.events.run import Run


class _Number(float):
    """A number that says what it is where it is none: digital silence is `−∞`, not `-inf`."""

    def __format__(self, spec: str) -> str:
        if math.isfinite(self):
            return super().__format__(spec)
        if math.isnan(self):
            return "?"
        return "∞" if self > 0 else "−∞"


def rendered(kind: str, run: Run, duration_s: float) -> str:
    """The run's message.

    Args:
        kind: The event's kind.
        run: What is told; its `message` is a `str.format` template.
        duration_s: How long the event has lasted so far, or lasted in all.

    Returns:
        The template filled in; the plain facts where there is none, or where it does not fit what it is given: an
        alarm must not be lost over its wording.
    """
    numbers = {"value": run.worst, "limit": run.limit, "duration_s": duration_s, "start_s": run.start_s}
    fields: dict[str, Any] = {name: _shown(value) for name, value in {**run.details, **numbers}.items()}
    if run.message:
        try:
            return run.message.format(**fields, unit=run.unit)
        except (LookupError, ValueError, TypeError, AttributeError):
            pass
    return "{kind} for {duration_s:.1f} s ({value:.4g} {unit}, limit {limit:.4g})".format(
        kind=kind, unit=run.unit, **{name: _shown(value) for name, value in numbers.items()}
    )


def _shown(value: Any) -> Any:
    return _Number(value) if isinstance(value, float) else value
