"""Frames: which pictures of its reference a stream lacks or shows again, stretch by stretch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpu_qa.series import StreamFact

if TYPE_CHECKING:
    from gpu_qa.sync.reference import Stretch

__all__ = ["frames"]


def frames(stretch: Stretch, from_s: float, reference: str) -> StreamFact:
    """What is known of a stretch's single pictures: nothing where rates differ or nothing matches.

    Args:
        stretch: The next one.
        from_s: Up to where those before have told, seconds on the stream's clock.
        reference: What the reference is called.
    """
    lost_s, repeated_s = stretch.lost or (), stretch.repeated or ()
    is_known = stretch.lost is not None and stretch.repeated is not None
    return StreamFact(
        kind="frames",
        track="video",
        start_s=max(stretch.start_s, from_s),
        end_s=stretch.end_s,
        message=f"pictures {'laid' if is_known else 'that cannot be laid'} over those of the reference",
        details={"reference": reference, "lost_s": lost_s, "repeated_s": repeated_s},
    )
