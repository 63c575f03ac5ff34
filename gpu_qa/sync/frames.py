"""Frames: which pictures of its reference a stream lacks or shows again, stretch by stretch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpu_qa.series import StreamFact

if TYPE_CHECKING:
    from gpu_qa.sync.reference import Stretch

__all__ = ["frames"]


def frames(stretch: Stretch, from_s: float, reference: str) -> StreamFact | None:
    """What is known of a stretch's single pictures; null where rates differ or nothing matches.

    Args:
        stretch: The next one.
        from_s: Up to where those before have told, seconds on the stream's clock.
        reference: What the reference is called.
    """
    if stretch.lost is None or stretch.repeated is None:
        return None
    return StreamFact(
        kind="frames",
        track="video",
        start_s=max(stretch.start_s, from_s),
        end_s=stretch.end_s,
        message="pictures laid over those of the reference",
        details={"reference": reference, "lost_s": stretch.lost, "repeated_s": stretch.repeated},
    )
