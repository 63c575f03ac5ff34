"""Measuring many streams' pictures together, with the kernel's definition in the kernel's place: as each one alone."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gpu_qa.features import device
from gpu_qa.features.device import DevicePictures
from gpu_qa.features.picture import HostPictures, MeasuredPicture
from gpu_qa_kernels import Plane
from gpu_qa_kernels.luma_stats.reference import luma_stats_reference
from gpu_qa_kernels.seam_profile.reference import seam_profile_reference
from tests.device_pictures import FORMATS, differences, on_card, pictures, slab_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_qa.media import VideoFrame

torch = pytest.importorskip("torch")
pytest.importorskip("numba_cuda", reason="needs numba-cuda")

from gpu_qa_kernels.luma_stats.table import Column  # noqa: E402
from gpu_qa_kernels.seam_profile.cuda import blocks  # noqa: E402


@dataclass(slots=True)
class Definition:
    """The kernel's definition in the place of the kernel."""

    launches: list[tuple[int, int]] = field(default_factory=list)
    """First row and number of frames of each."""
    fail: bool = False

    def __call__(self, slab: Any, wide: Any, quad: Any, table: Any, kept: Any, *results: Any) -> None:
        if self.fail:
            raise RuntimeError("CUDA error 700")
        *results_, first, count = results
        self.launches.append((first, count))
        rows = table[first : first + count]
        assert len({int(row[Column.KEPT]) for row in rows}) == count, "two frames of a stream in one launch"
        for number, row in enumerate(rows, first):
            self._measure(slab if row[Column.SAMPLE_BYTES] == 1 else wide, row, kept, number, results_)

    def _measure(self, data: Any, row: Any, kept: Any, number: int, results: Any) -> None:
        def plane(offset: int, pitch: int, step: int, width: int, height: int) -> Plane:
            return Plane(data, int(offset), int(pitch), int(step), int(width), int(height))

        size = (row[Column.WIDTH], row[Column.HEIGHT])
        of_chroma = row[[Column.CHROMA_PITCH, Column.CHROMA_STEP, Column.CHROMA_WIDTH, Column.CHROMA_HEIGHT]]
        cb, cr = (plane(row[one], *of_chroma) for one in (Column.CB, Column.CR))
        before = plane(row[Column.PREVIOUS], row[Column.PREVIOUS_PITCH], row[Column.STEP], *size)
        has_before = row[Column.PREVIOUS] >= 0
        got = luma_stats_reference(
            plane(row[Column.OFFSET], row[Column.PITCH], row[Column.STEP], *size),
            (cb, cr) if row[Column.CB] >= 0 else None,
            bit_depth=int(row[Column.BIT_DEPTH]),
            shift=int(row[Column.SHIFT]),
            previous=before if has_before else None,
            previous_small=kept[row[Column.KEPT]] if has_before else None,
        )
        kept[row[Column.KEPT]] = got.small
        for result, values in zip(results, got, strict=True):
            result[number] = values


def profiles(slab: Any, wide: Any, table: Any, looks: Any, out: Any, most_blocks: int, first: int, count: int) -> None:
    """The definition of `seam_profile` in the place of its kernel."""
    for number, place in looks[first : first + count].tolist():
        row = table[number]
        width, height = int(row[Column.WIDTH]), int(row[Column.HEIGHT])
        assert most_blocks >= blocks(width, height)
        data = slab if row[Column.SAMPLE_BYTES] == 1 else wide
        plane = Plane(data, int(row[Column.OFFSET]), int(row[Column.PITCH]), int(row[Column.STEP]), width, height)
        found = seam_profile_reference(plane, bit_depth=int(row[Column.BIT_DEPTH]), shift=int(row[Column.SHIFT]))
        out[place : place + width + height] += np.concatenate(found)


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Definition:
    made = Definition()
    monkeypatch.setattr("gpu_qa_kernels.luma_stats.cuda.luma_stats_device", made)
    monkeypatch.setattr("gpu_qa_kernels.seam_profile.cuda.seam_profile_device", profiles)
    return made


def each_alone(streams: dict[str, list[VideoFrame]]) -> dict[str, list[MeasuredPicture]]:
    """Each stream measured by itself, on the host."""
    found = {}
    for name, frames in streams.items():
        host = HostPictures()
        found[name] = [host.measure(frame) for frame in frames]
    return found


def cut(streams: dict[str, list[VideoFrame]], rng: random.Random) -> Iterator[list[tuple[str, VideoFrame]]]:
    """The streams' pictures in calls of a few each, mixed at random but in order within a stream."""
    waiting = [name for name, frames in streams.items() for _ in frames]
    rng.shuffle(waiting)
    rest = {name: iter(frames) for name, frames in streams.items()}
    mixed = [(name, next(rest[name])) for name in waiting]
    while mixed:
        count = rng.randint(1, 9)
        yield mixed[:count]
        del mixed[:count]


def measured(device: DevicePictures, calls: Iterator[list[tuple[str, VideoFrame]]]) -> dict[str, list[MeasuredPicture]]:
    found: dict[str, list[MeasuredPicture]] = {}
    for call in calls:
        for (name, _), one in zip(call, device.measure(call), strict=True):
            found.setdefault(name, []).append(one)
    return found


def assert_same(got: dict[str, list[MeasuredPicture]], expected: dict[str, list[MeasuredPicture]]) -> None:
    assert got.keys() == expected.keys()
    for name, pictures_ in expected.items():
        assert differences(got[name], pictures_) == [], name


@pytest.mark.parametrize("seed", range(2))
def test_many_streams_are_measured_as_each_alone(seed: int, kernel: Definition) -> None:
    """Sizes and depths mixed in one slab, in any grouping; all results are looked at in the end."""
    slab = slab_for(FORMATS, 5)
    streams = {f"{name}": pictures(slab, form, 5) for name, form in enumerate(FORMATS)}
    assert len({frame.luma.data.data_ptr() for frames in streams.values() for frame in frames}) == 1  # type: ignore[union-attr]
    device = DevicePictures()
    assert_same(measured(device, cut(streams, random.Random(seed))), each_alone(streams))


def test_the_same_pictures_are_looked_at_as_a_whole_as_on_the_host(kernel: Definition) -> None:
    """Pictures of 0.3 s: every third one, whatever else is measured in the same call, and from whichever memory."""
    streams = {}
    for name, form in enumerate(FORMATS):
        frames = pictures(slab_for([form], 7), form, 7)
        streams[f"{name}"] = [replace(frame, time_base=Fraction(3, 10)) for frame in frames]
    got = measured(DevicePictures(), cut(streams, random.Random(1)))
    assert_same(got, each_alone(streams))
    for pictures_ in got.values():
        assert [one.profile is not None for one in pictures_] == [True, False, False] * 2 + [True]


def test_one_launch_measures_a_picture_of_every_stream(kernel: Definition) -> None:
    slab = slab_for(FORMATS, 4)
    streams = [pictures(slab, form, 4) for form in FORMATS]
    device = DevicePictures()
    count = len(FORMATS)
    device.measure([(name, frames[0]) for name, frames in enumerate(streams)])
    assert kernel.launches == [(0, count)]
    kernel.launches.clear()
    # Two more of all, the third of one.
    call = [(name, frame) for name, frames in enumerate(streams) for frame in frames[1:3]]
    device.measure([*call, (0, streams[0][3])])
    assert kernel.launches == [(0, count), (count, count), (2 * count, 1)]


def test_more_pictures_than_are_measured_at_once(kernel: Definition, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "MOST_AT_ONCE", 3)
    slab = slab_for(FORMATS, 5)
    streams = {str(name): pictures(slab, form, 5) for name, form in enumerate(FORMATS)}
    calls = iter([[(name, frame) for name, frames in streams.items() for frame in frames]])
    assert_same(measured(DevicePictures(), calls), each_alone(streams))
    assert max(count for _, count in kernel.launches) <= 3


def test_results_stay_when_more_is_measured(kernel: Definition) -> None:
    slab = slab_for(FORMATS[:1], 30)
    frames = pictures(slab, FORMATS[0], 30)
    device = DevicePictures()
    early = [one for frame in frames[:3] for one in device.measure([("a", frame)])]
    copies = [[array.copy() for array in one.stats] for one in early]
    for frame in frames[3:]:
        device.measure([("a", frame), ("b", frame)])
    for one, copy in zip(early, copies, strict=True):
        for array, then in zip(one.stats, copy, strict=True):
            np.testing.assert_array_equal(array, then)


def test_what_was_left_out_is_not_compared_with(kernel: Definition) -> None:
    slab = slab_for(FORMATS[:1], 6)
    frames = pictures(slab, FORMATS[0], 6)
    device = DevicePictures()
    host = HostPictures()
    got, expected = [], []
    for number, frame in enumerate(frames):
        if number == 3:
            device.skip("a")
            device.skip("not seen yet")
            host.skip()
        got += device.measure([("a", frame), ("b", frame)])[:1]
        expected.append(host.measure(frame))
    assert [one.comparable for one in got] == [False, True, True, False, True, True]
    assert differences(got, expected) == []


def test_a_new_format_or_another_memory_begins_anew(kernel: Definition) -> None:
    slab, other = slab_for(FORMATS[:2], 4), slab_for(FORMATS[:1], 4)
    frames = [*pictures(slab, FORMATS[0], 2), *pictures(slab, FORMATS[1], 2)]
    elsewhere = pictures(other, FORMATS[0], 2)
    device = DevicePictures()
    got = device.measure([("a", frame) for frame in (*frames, *elsewhere)])
    assert [one.comparable for one in got] == [False, True] * 3
    assert differences(got[:4], each_alone({"a": frames})["a"]) == []
    assert differences(got[4:], each_alone({"a": elsewhere})["a"]) == []


def test_streams_come_and_go(kernel: Definition) -> None:
    """Many more than the rows there are at first; a row is used again, and nothing of its last owner is seen."""
    slab = slab_for(FORMATS, 3)
    frames = [pictures(slab, form, 3) for form in FORMATS]
    expected = each_alone({str(number): one for number, one in enumerate(frames)})
    rng = random.Random(5)
    device = DevicePictures()
    there: list[tuple[int, int]] = []
    shown: dict[int, int] = {}
    for name in range(90):
        if len(there) > 40:
            for gone in rng.sample(there, 30):
                there.remove(gone)
                device.forget(gone[0])
        there.append((name, name % len(FORMATS)))
        stream, form = rng.choice(there)
        number = shown.get(stream, 0)
        if number < 3:
            (one,) = device.measure([(stream, frames[form][number])])
            assert differences([one], [replace(expected[str(form)][number], row=one.row)], blocks=False) == []
            shown[stream] = number + 1
    for stream, _ in there:
        device.forget(stream)
    assert (device._streams, device._cards) == ({}, {})


def test_pictures_are_waited_for(kernel: Definition) -> None:
    slab = slab_for(FORMATS[:1], 2)
    frames = pictures(slab, FORMATS[0], 2)
    waits = []

    class Event:
        def synchronize(self) -> None:
            waits.append(len(kernel.launches))

    event = Event()
    DevicePictures().measure([("a", replace(frame, ready=event)) for frame in frames])
    # Once for both, before the first launch.
    assert waits == [0]


def test_the_picture_before_is_kept_until_it_has_been_compared_with(kernel: Definition) -> None:
    """Its room may be another stream's as soon as it is dropped."""
    slab = slab_for(FORMATS[:1], 3)
    frames = pictures(slab, FORMATS[0], 3)

    class Owner:
        def __del__(self) -> None:
            ended.append(len(kernel.launches))

    ended: list[int] = []
    device = DevicePictures()
    owned = [replace(frame, owner=Owner()) for frame in frames]
    while owned:
        device.measure([("a", owned.pop(0))])
    # Each of the first two after the launch that the next one was measured in; the last one is kept.
    assert ended == [2, 3]
    device.forget("a")
    assert ended == [2, 3, 3]


def test_a_card_that_fails_leaves_nothing_to_compare_with(kernel: Definition) -> None:
    slab = slab_for(FORMATS[:1], 3)
    frames = pictures(slab, FORMATS[0], 3)
    device = DevicePictures()
    device.measure([("a", frames[0])])
    kernel.fail = True
    with pytest.raises(RuntimeError, match="CUDA error 700"):
        device.measure([("a", frames[1])])
    kernel.fail = False
    (one,) = device.measure([("a", frames[2])])
    assert not one.comparable


@pytest.mark.needs_cuda
@pytest.mark.parametrize("seed", range(3))
def test_a_card_measures_many_streams_as_the_host_does_each(seed: int) -> None:
    slab = slab_for(FORMATS, 5)
    streams = {str(name): pictures(slab, form, 5) for name, form in enumerate(FORMATS)}
    moved = on_card(streams)
    device = DevicePictures()
    own = torch.cuda.Stream()
    # The caller's stream may be any.
    with torch.cuda.stream(own if seed % 2 else torch.cuda.default_stream()):
        got = measured(device, cut(moved, random.Random(seed)))
    assert_same(got, each_alone(streams))
