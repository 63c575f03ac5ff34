"""Where NVDEC's pictures are copied to: they lie in one pool, whose rooms are lent, given back and waited for."""

from __future__ import annotations

import gc
import threading
from typing import TYPE_CHECKING

import pytest
import torch

from gpu_qa.decode import DecodeSettings
from gpu_qa.decode.nvdec import NvdecDecoder
from gpu_qa.decode.pool import MOST_LENT, FramePool
from gpu_qa.decode.slab import Slab, aligned
from gpu_qa.errors import DeviceError
from gpu_qa.media import Packet
from tests import fake_nvdec
from tests.decode_harness import array, decode_all, open_back_end, opened, reference, same_pictures
from tests.fake_nvdec import Driver, HostCard
from tests.test_decode import B_FRAMES, clip

if TYPE_CHECKING:
    from gpu_qa.media import VideoFrame

SMALL = DecodeSettings(pool_frames=20, slab_mib=4)
"""A slab for some hundred pictures of the clips."""


def test_pictures_lie_in_one_pool() -> None:
    with opened(clip("a.mp4", pixel_format="yuv420p10le")) as (track, natives):
        frames = decode_all(open_back_end("nvdec", track), track, natives).frames
    slab = frames[0].luma.data
    assert isinstance(slab, torch.Tensor)
    assert (slab.dtype, slab.dim()) == (torch.uint16, 1)
    for frame in frames:
        assert frame.chroma is not None
        assert all(plane.data is slab for plane in (frame.luma, *frame.chroma))
        assert [plane.step for plane in (frame.luma, *frame.chroma)] == [1, 2, 2]
        assert frame.chroma[1].offset == frame.chroma[0].offset + 1
    assert len({frame.luma.offset for frame in frames}) == len(frames)


def test_pictures_are_complete_after_their_event() -> None:
    """Nobody waits while decoding: copies are begun, and read in time although the decoder writes over its memory."""
    path = clip("a.ts", codec_options=B_FRAMES)
    card = HostCard(lazy=True)
    frames: list[VideoFrame] = []
    with opened(path) as (track, natives):
        decoder = NvdecDecoder(track, SMALL, Driver(), card)
        slab = decoder._memory.slab
        slab.bytes.fill_(fake_nvdec.POISON)
        for native in natives:
            found = decoder.decode(Packet(track, native)).frames
            if found and not frames:
                assert (array(found[0].luma) == fake_nvdec.POISON).all()
            frames += found
        assert card.streams[0].waits == 0
        frames += decoder.drain().frames
    assert card.streams[0].copies == len(frames) == 30
    frames[-1].ready.synchronize()
    same_pictures(frames, reference(path))


def test_a_decoder_that_goes_waits_for_its_copies() -> None:
    """Its memory goes with it, and its pictures' rooms may be another stream's at once."""
    path = clip("a.ts")
    with opened(path) as (track, natives):
        decoder = NvdecDecoder(track, SMALL, Driver(), HostCard(lazy=True))
        frames = [frame for native in natives for frame in decoder.decode(Packet(track, native)).frames]
        frames += decoder.drain().frames
        decoder.close()
    gc.collect()
    same_pictures(frames, reference(path))


def test_rooms_come_back_when_pictures_are_dropped() -> None:
    with opened(clip("a.ts")) as (track, natives):
        decoder = NvdecDecoder(track, SMALL, Driver(), HostCard())
        shown = 0
        for native in natives * 2:
            shown += len(decoder.decode(Packet(track, native)).frames)
        assert shown > 40
        assert decoder._pool is not None
        assert decoder._pool.free == decoder._pool.count == 20


def test_rooms_are_given_back_when_the_last_picture_is_dropped() -> None:
    with opened(clip("a.ts")) as (track, natives):
        decoder = NvdecDecoder(track, SMALL, Driver(), HostCard())
        slab = decoder._memory.slab
        frames = [frame for native in natives[:8] for frame in decoder.decode(Packet(track, native)).frames]
        assert decoder._pool is not None
        size = decoder._pool.size
        assert size == aligned(192 * 108 * 3 // 2)
        decoder.close()
    assert slab.size - slab.free == len(frames) * size
    kept = frames.pop()
    frames.clear()
    assert slab.size - slab.free == size
    del kept
    assert slab.free == slab.size


def test_a_stream_that_holds_many_pictures_is_lent_some() -> None:
    """As when a decoder is emptied, which gives up to 16 at once."""
    with opened(clip("a.ts")) as (track, natives):
        decoder = NvdecDecoder(track, SMALL, Driver(), HostCard())
        frames = [frame for native in natives for frame in decoder.decode(Packet(track, native)).frames]
        assert len(frames) > 25
        assert decoder._pool is not None
        own = decoder._pool.count
        assert own == 20
        frames.clear()
        assert decoder._pool.free == own
        decoder.close()
        assert decoder._memory.slab.free == decoder._memory.slab.size


def test_a_full_pool_refuses_clearly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FramePool.take, "__defaults__", (0.01,))
    with opened(clip("a.ts")) as (track, natives):
        decoder = NvdecDecoder(track, SMALL, Driver(), HostCard())
        held: list[VideoFrame] = []
        rest = iter(natives * 2)
        while len(held) < 20 + MOST_LENT:
            held += decoder.decode(Packet(track, next(rest))).frames
        with pytest.raises(DeviceError, match=r"all 20 pictures of the device pool are still held.*pool_frames"):
            decoder.decode(Packet(track, next(rest)))
        held.clear()
        assert decoder.decode(Packet(track, next(rest))).notes == ()


def test_who_waits_for_a_picture_gets_the_next_one_that_is_dropped() -> None:
    slab = Slab(torch.empty(2 * 512, dtype=torch.uint8))
    offsets = slab.take(2, 512)
    assert offsets is not None
    pool = FramePool(slab, offsets, 512)
    held = [pool.take(), pool.take()]
    later = threading.Timer(0.05, held.clear)
    later.start()
    assert pool.take(patience_s=5.0).room.offset in offsets
    later.join()
