"""Pictures of many streams in one block of memory, as NVDEC leaves them, for tests of what measures them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gpu_qa.media import Plane, VideoFormat, VideoFrame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.features.picture import MeasuredPicture

ALIGNMENT = 512


class Form(NamedTuple):
    """Size and depth of a stream's pictures: NV12, P010, or grey."""

    width: int
    height: int
    bits: int
    chroma: bool = True


FORMATS = (Form(50, 26, 8), Form(44, 30, 10), Form(64, 48, 8), Form(21, 13, 10, chroma=False), Form(352, 200, 8))
"""With a picture that is read by words; the others are too small for that."""


class Block:
    """Memory full of noise, of which pictures take one part after another."""

    def __init__(self, size: int) -> None:
        import torch

        noise = np.random.default_rng(size).integers(0, 256, size, dtype=np.uint8)
        self.bytes: Any = torch.from_numpy(noise)
        self.words: Any = self.bytes.view(torch.uint16)
        self.taken = 0


def _size(form: Form) -> int:
    pitch = form.width + form.width % 2
    rows = form.height + (-(-form.height // 2) if form.chroma else 0)
    return -(-pitch * rows * (1 if form.bits == 8 else 2) // ALIGNMENT) * ALIGNMENT


def slab_for(forms: Sequence[Form], count: int) -> Block:
    """A block for `count` pictures of each form."""
    return Block(sum(_size(form) for form in forms) * count)


def pictures(slab: Block, form: Form, count: int) -> list[VideoFrame]:
    """`count` pictures one behind the other."""
    wide = form.bits > 8
    data = slab.words if wide else slab.bytes
    shown = VideoFormat(form.width, form.height, form.bits, 6 if wide else 0, "limited", "p010" if wide else "nv12")
    frames = []
    for number in range(count):
        first, pitch = slab.taken // (2 if wide else 1), form.width + form.width % 2
        slab.taken += _size(form)
        assert slab.taken <= len(slab.bytes)
        below = first + pitch * form.height
        chroma = [Plane(data, below + i, pitch, 2, -(-form.width // 2), -(-form.height // 2)) for i in range(2)]
        luma = Plane(data, first, pitch, 1, form.width, form.height)
        frames.append(
            VideoFrame(
                number,
                1,
                Fraction(1, 25),
                shown,
                luma,
                (chroma[0], chroma[1]) if form.chroma else None,
                is_key=not number,
            )
        )
    return frames


def on_card(streams: dict[str, list[VideoFrame]]) -> dict[str, list[VideoFrame]]:
    """The same pictures with their one block in a card's memory."""
    import torch

    memory: Any = next(iter(streams.values()))[0].luma.data
    moved = memory.view(torch.uint8).cuda()
    words = moved.view(torch.uint16)

    def plane(one: Plane) -> Plane:
        data: Any = one.data
        return replace(one, data=moved if data.dtype == torch.uint8 else words)

    return {
        name: [
            replace(
                frame,
                luma=plane(frame.luma),
                chroma=(plane(frame.chroma[0]), plane(frame.chroma[1])) if frame.chroma else None,
            )
            for frame in frames
        ]
        for name, frames in streams.items()
    }


def differences(
    got: Sequence[MeasuredPicture], expected: Sequence[MeasuredPicture], *, blocks: bool = True
) -> list[str]:
    """In which fields measured pictures differ; with `blocks` also in where in their blocks they stand."""
    if len(got) != len(expected):
        return [f"{len(got)} pictures instead of {len(expected)}"]
    found = []
    for number, (one, other) in enumerate(zip(got, expected, strict=True)):
        found += [
            f"{name} of {number}"
            for name in ("pts", "duration", "time_base", "format", "chroma_size", "comparable", "is_corrupt", "is_key")
            if getattr(one, name) != getattr(other, name)
        ]
        if blocks and one.row != other.row:
            found.append(f"row of {number}")
        if (one.profile is None) != (other.profile is None):
            found.append(f"profile of {number}")
        elif one.profile is not None and other.profile is not None:
            found += [
                f"profile {name} of {number}"
                for name, array, values in zip(one.profile._fields, one.profile, other.profile, strict=True)
                if array.dtype != values.dtype or not np.array_equal(array, values)
            ]
        found += [
            f"{name} of {number}"
            for name, array, values in zip(one.stats._fields, one.stats, other.stats, strict=True)
            if array.dtype != values.dtype or not np.array_equal(array, values)
        ]
    return found
