"""NVDEC on a card: the contract's clips against libavcodec, sample by sample."""

from __future__ import annotations

import os
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

import pytest

import gpu_qa
from gpu_qa.decode import DecodeSettings
from gpu_qa.decode.driver import load_driver
from gpu_qa.decode.nvdec import NvdecDecoder, open_nvdec
from gpu_qa.errors import DeviceError
from gpu_qa.media import Packet, Plane, VideoFrame
from tests.clips import cached_clip
from tests.decode_harness import decode_all, opened, reference, same_pictures
from tests.programme import Form, Programme
from tests.programme_file import KINDS, laid_out, written
from tests.test_decode import B_FRAMES, CLIPS, clip

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from gpu_qa.media import Track

pytestmark = pytest.mark.needs_nvdec


@pytest.fixture(autouse=True)
def _card() -> None:
    try:
        load_driver(0)
    except DeviceError as error:
        if os.environ.get("GPU_QA_REQUIRE") == "cuda":
            raise
        pytest.skip(str(error))


def opened_on_card(track: Track, **settings: int) -> NvdecDecoder:
    """A decoder on the card; skipped where the card does not decode such a track."""
    try:
        return open_nvdec(track, DecodeSettings(device="cuda", **{"pool_frames": 100, "slab_mib": 128, **settings}))
    except DeviceError as error:
        pytest.skip(str(error))


def on_host(frames: Iterable[VideoFrame]) -> list[VideoFrame]:
    """The same frames with their planes in host memory."""
    from dataclasses import replace

    host: dict[int, Any] = {}

    def fetched(plane: Plane) -> Plane:
        # All pictures lie in one tensor, which is fetched once.
        tensor: Any = plane.data
        if id(tensor) not in host:
            host[id(tensor)] = tensor.cpu()
        return replace(plane, data=host[id(tensor)])

    frames = list(frames)
    for frame in frames:
        frame.ready.synchronize()
    return [
        replace(
            frame,
            luma=fetched(frame.luma),
            chroma=(fetched(frame.chroma[0]), fetched(frame.chroma[1])) if frame.chroma else None,
        )
        for frame in frames
    ]


@pytest.mark.parametrize("name", CLIPS)
def test_pictures_are_those_of_the_stream(name: str) -> None:
    path = clip(**CLIPS[name], size=(192, 144)) if "size" not in CLIPS[name] else clip(**CLIPS[name])
    with opened(path) as (track, natives):
        result = decode_all(opened_on_card(track), track, natives)
    assert result.notes == ()
    if "mpeg2" in name:
        # Its inverse transform is not specified to the bit.
        assert [frame.pts for frame in result.frames] == [pts for pts, _ in reference(path)]
    else:
        same_pictures(on_host(result.frames), reference(path))


def test_pictures_outlive_the_decoder() -> None:
    path = clip("a.mp4", size=(320, 240), codec_options=B_FRAMES)
    with opened(path) as (track, natives):
        decoder = opened_on_card(track)
        result = decode_all(decoder, track, natives)
        decoder.close()
    same_pictures(on_host(result.frames), reference(path))


@pytest.mark.parametrize("sizes", [((320, 240), (192, 144)), ((192, 144), (320, 240))], ids=["smaller", "larger"])
def test_a_new_size_is_shown_as_it_is(sizes: tuple[tuple[int, int], ...]) -> None:
    before, after = (clip("a.ts", size=size, start_s=10.0 * at) for at, size in enumerate(sizes))
    with opened(before) as (track, first), opened(after) as (_, second):
        result = decode_all(opened_on_card(track, pool_frames=60), track, [*first, *second])
    same_pictures(on_host(result.frames), [*reference(before), *reference(after)])
    assert [note.kind for note in result.notes] == ["format_change"]


def test_many_streams_at_once_in_one_slab() -> None:
    """Threads of their own, sizes and depths mixed; one leaves early, one comes late. All are what the CPU decodes."""
    import threading

    paths = [
        clip("a.ts", size=(320, 240)),
        clip("a.ts", size=(192, 144), codec_options=B_FRAMES),
        clip("a.mp4", size=(640, 360)),
        clip("a.ts", size=(320, 240), seconds=0.6),
    ] * 3
    found: dict[int, list[VideoFrame]] = {}
    failures: list[str] = []

    def decode(number: int) -> None:
        try:
            with opened(paths[number]) as (track, natives):
                decoder = open_nvdec(track, DecodeSettings(device="cuda", pool_frames=40, slab_mib=256))
                found[number] = on_host(decode_all(decoder, track, natives).frames)
                decoder.close()
        except Exception as error:  # noqa: BLE001 - told by the test's own thread
            failures.append(f"{number}: {error!r}")

    threads = [threading.Thread(target=decode, args=(number,)) for number in range(len(paths))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    for number, path in enumerate(paths):
        same_pictures(found[number], reference(path))


def test_memory_comes_back_when_streams_leave() -> None:
    import torch

    path = clip("a.ts", size=(320, 240))

    def once() -> int:
        with opened(path) as (track, natives):
            decoder = open_nvdec(track, DecodeSettings(device="cuda", slab_mib=64))
            for native in natives:
                decoder.decode(Packet(track, native))
            decoder.close()
        torch.cuda.synchronize()
        return int(torch.cuda.mem_get_info(0)[0])

    once()
    first = once()
    for _ in range(20):
        last = once()
    # The driver keeps some; what 20 more streams take must not add up.
    assert first - last < 32 << 20


def test_reset_and_drain() -> None:
    path = clip("a.mp4", size=(320, 240), codec_options=B_FRAMES)
    with opened(path) as (track, natives):
        decoder = opened_on_card(track)
        for native in natives[:9]:
            decoder.decode(Packet(track, native))
        decoder.reset()
        assert decoder.drain().frames == ()
        for _ in range(2):
            same_pictures(on_host(decode_all(decoder, track, natives).frames), reference(path))


def test_an_analysis_on_the_card_tells_what_one_on_the_cpu_does() -> None:
    path = cached_clip("a.ts", seconds=12, size=(320, 240), gop=12, freeze=(1, 4), black=(5, 8), silence=(8.5, 11))

    def told(device: Literal["cuda", "cpu"]) -> list[tuple[str, float, float | None, str, str]]:
        analysis = gpu_qa.Analysis(str(path), gpu_qa.Settings(decode=DecodeSettings(device=device)))
        for _ in analysis:
            pass
        report = analysis.report()
        assert report.error is None
        events = [(one.kind, one.start_s, one.end_s, one.severity, one.state) for one in report.events]
        return sorted(events, key=str)

    expected = told("cpu")
    assert {"video.freeze", "video.black", "audio.silence"} <= {kind for kind, *_ in expected}
    assert told("cuda") == expected


@pytest.mark.parametrize(
    ("form", "codec"),
    [
        (Form(640, 360, Fraction(25), 8, "limited", grain=0.003), "libx264"),
        (Form(854, 480, Fraction(30), 10, "full", irregular=True, grain=0.003), "libx265"),
    ],
    ids=str,
)
def test_every_fault_is_told_on_the_card_as_on_the_cpu(form: Form, codec: str, tmp_path: Path) -> None:
    faults, length_s = laid_out(tuple(KINDS))
    path = written(Programme(form, faults, length_s), tmp_path / "programme.mkv", codec)
    reports = [
        gpu_qa.analyze(path, gpu_qa.Settings(decode=DecodeSettings(device="cpu"))),
        gpu_qa.analyze(path, gpu_qa.Settings(decode=DecodeSettings(device="cuda"))),
    ]
    assert [report.error for report in reports] == [None, None]
    assert reports[1].measurements["decoders"][0].startswith("nvdec")
    assert len(reports[0].events) >= len(faults)
    assert reports[1].events == reports[0].events
