"""The object store's benchmark: both designs find the same, and requests are counted."""

from __future__ import annotations

import dataclasses
import json
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

import gpu_qa
from benchmarks import clips, result
from benchmarks.object_store import __main__ as command
from benchmarks.object_store import server
from benchmarks.object_store.collection import Collected, Collection
from benchmarks.object_store.converter import Converter, ConverterSettings
from benchmarks.object_store.detection import Detection, chosen
from benchmarks.object_store.image import Packer, Unpacker
from benchmarks.object_store.measure import compared
from benchmarks.object_store.meter import Cost, Meter
from benchmarks.object_store.payload import PAYLOAD_LIMIT, StoredFrame, StoredPart
from benchmarks.object_store.store import Store, Traffic
from benchmarks.object_store.usage import ObjectStoreResult, SeenEvent
from benchmarks.object_store.workflow import Orchestrator, PayloadError, monitoring
from gpu_qa.events import TrackerState
from gpu_qa.media import Plane, VideoFormat, VideoFrame

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from benchmarks.object_store.payload import Chunk, FrameFormat
    from benchmarks.object_store.service import Service

DETECTORS = ("freeze", "black", "silence")
FILM = dataclasses.replace(
    clips.TINY,
    seconds=8.2,
    faults=(clips.Fault("black", 0.4, 2.9), clips.Fault("silence", 3.1, 5.7), clips.Fault("freeze", 4.2, 7.6)),
)
needs_server = pytest.mark.skipif(server.missing() is not None, reason=server.missing() or "")


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("films")


@pytest.fixture(scope="module")
def clip(films: Path) -> str:
    return str(clips.cached(FILM, films))


@pytest.fixture(scope="module")
def expected(clip: str) -> tuple[gpu_qa.Event, ...]:
    """What one process tells."""
    settings = gpu_qa.Settings(decode=gpu_qa.DecodeSettings(device="cpu")).select(DETECTORS)
    return gpu_qa.analyze(clip, settings).events


class MemoryStore(Store):
    """Objects in a dictionary."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.traffic = Traffic()

    def put(self, objects: Sequence[tuple[str, bytes]]) -> None:
        self.objects |= dict(objects)
        self.traffic.puts += len(objects)

    def get(self, keys: Sequence[str]) -> list[bytes]:
        self.traffic.gets += len(keys)
        return [self.objects[key] for key in keys]

    def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            del self.objects[key]


def through(store: Store, clip: str, settings: ConverterSettings) -> tuple[list[Chunk], list[gpu_qa.Event]]:
    """The stream through the three kinds of service, in one process."""
    meter = Meter()
    converter = Converter(clip, "stream", settings, store, meter)
    detections = {name: Detection(name, store, meter) for name in DETECTORS}
    collection, state = Collection(store, meter), Collected(TrackerState("stream"))
    chunks: list[Chunk] = []
    events: list[gpu_qa.Event] = []
    carry: dict[str, Any] = dict.fromkeys(DETECTORS)
    before: StoredFrame | None = None
    while not chunks or not chunks[-1].last:
        chunk = converter.convert()
        evidence = {}
        for name, detection in detections.items():
            evidence[name], carry[name] = detection.detect(chunk, before, carry[name])
        told, state = collection.collect(chunk, evidence, state)
        events += [event for event in told if event.state == "closed"]
        before = chunk.frames[-1] if chunk.frames else before
        chunks.append(chunk)
    return chunks, sorted(events, key=lambda event: (event.start_s, event.kind))


@pytest.mark.parametrize(("chunk_s", "bundled"), [(1.0, False), (0.7, True), (3.0, True)])
def test_events_are_those_of_one_process(
    clip: str, expected: tuple[gpu_qa.Event, ...], chunk_s: float, *, bundled: bool
) -> None:
    store = MemoryStore()
    settings = ConverterSettings(encoding="raw", chunk_s=chunk_s, bundled=bundled)

    chunks, events = through(store, clip, settings)

    assert {event.kind for event in events} == {"video.black", "audio.silence", "video.freeze"}
    assert [(event.kind, event.value, event.details) for event in events] == [
        (event.kind, event.value, event.details) for event in expected
    ]
    for event, other in zip(events, expected, strict=True):
        assert event.start_s == pytest.approx(other.start_s, abs=1e-6)
        assert event.end_s == pytest.approx(other.end_s, abs=1e-6)
    assert len(chunks) == -(-FILM.seconds // chunk_s)
    assert sum(len(chunk.frames) for chunk in chunks) == 205
    assert store.traffic.puts == (len(chunks) if bundled else 205 + len(chunks))
    assert not store.objects


def test_a_frame_per_second_is_stored(clip: str) -> None:
    store = MemoryStore()
    chunks, events = through(store, clip, ConverterSettings(frames_per_s=1.0))
    frames = [frame for chunk in chunks for frame in chunk.frames]
    assert [frame.start_s for frame in frames] == pytest.approx(range(9))
    assert [frame.duration_s for frame in frames] == pytest.approx([1.0] * 9)
    # Nine frames for the black detector, and for the freeze detector those and eight times the one before.
    assert store.traffic.gets == 9 + 9 + 8 + len(chunks)
    assert "audio.silence" in {event.kind for event in events}


def test_a_stream_that_has_ended_cannot_be_converted_further(clip: str) -> None:
    converter = Converter(clip, "stream", ConverterSettings(frames_per_s=1.0, chunk_s=20.0), MemoryStore(), Meter())
    assert converter.convert().last
    with pytest.raises(ValueError, match="has ended"):
        converter.convert()


def picture(width: int, height: int, *, bits: int, chroma: tuple[int, int] | None) -> VideoFrame:
    """Noise in planes that are wider in memory than the picture."""
    rng = np.random.default_rng(width)
    dtype = np.uint8 if bits == 8 else np.uint16

    def plane(columns: int, rows: int) -> Plane:
        pitch = columns + 7
        blocks = np.kron(rng.integers(16, 235, (rows // 8 + 1, pitch // 8 + 1)), np.ones((8, 8)))[:rows, :pitch]
        return Plane((blocks * 2 ** (bits - 8)).astype(dtype).ravel(), 0, pitch, 1, columns, rows)

    form = VideoFormat(width, height, bits, 0, "limited", "test", sample_aspect_ratio=Fraction(4, 3))
    colors = (plane(*chroma), plane(*chroma)) if chroma else None
    return VideoFrame(None, 0, Fraction(1, 25), form, plane(width, height), colors)


def stored(frame: VideoFrame, encoding: FrameFormat) -> StoredFrame:
    form, chroma = frame.format, frame.chroma
    size = (chroma[0].width, chroma[0].height) if chroma else (0, 0)
    part = StoredPart("key", 0, 0)
    return StoredFrame(
        part, encoding, 2.0, 0.04, form.width, form.height, size, form.bit_depth, 0, "limited", (4, 3), False, False
    )


def samples(plane: Plane) -> np.ndarray:
    rows = np.arange(plane.height)[:, None] * plane.pitch + np.arange(plane.width)[None, :] * plane.step
    return cast("np.ndarray", plane.data[plane.offset + rows]).astype(int)


@pytest.mark.parametrize(("bits", "chroma"), [(8, (41, 27)), (10, (41, 54)), (8, None)])
def test_raw_frames_come_back_as_they_were(bits: int, chroma: tuple[int, int] | None) -> None:
    frame = picture(82, 54, bits=bits, chroma=chroma)
    back = Unpacker().unpack(Packer("raw", 3).pack(frame), stored(frame, "raw"))
    assert (back.format.bit_depth, back.format.color_range) == (bits, "limited")
    assert back.format.sample_aspect_ratio == Fraction(4, 3)
    assert (back.pts, back.duration) == (2_000_000, 40_000)
    planes = [frame.luma, *(frame.chroma or ())]
    for one, other in zip(planes, [back.luma, *(back.chroma or ())], strict=True):
        np.testing.assert_array_equal(samples(one), samples(other))


def test_jpeg_keeps_limited_range_codes() -> None:
    frame = picture(82, 54, bits=8, chroma=(41, 27))
    body = Packer("jpeg", 2).pack(frame)
    back = Unpacker().unpack(body, stored(frame, "jpeg"))
    assert len(body) < 82 * 54 * 1.5
    assert np.abs(samples(frame.luma) - samples(back.luma)).mean() < 3
    assert back.chroma is not None
    assert (back.chroma[0].width, back.chroma[0].height) == (41, 27)


def test_what_jpeg_cannot_hold_is_refused() -> None:
    for frame in (picture(82, 54, bits=8, chroma=(41, 54)), picture(82, 54, bits=10, chroma=(41, 27))):
        with pytest.raises(ValueError, match="store its frames as raw"):
            Packer("jpeg", 3).pack(frame)


def test_bytes_of_another_size_are_refused() -> None:
    frame, other = picture(82, 54, bits=8, chroma=(41, 27)), picture(80, 54, bits=8, chroma=(40, 27))
    for encoding in cast("tuple[FrameFormat, ...]", ("raw", "jpeg")):
        with pytest.raises(ValueError, match="picture of 80×54"):
            Unpacker().unpack(Packer(encoding, 3).pack(frame), stored(other, encoding))


def test_detectors_that_read_packets_are_refused() -> None:
    assert chosen(["silence", "black"]) == {"silence": "audio", "black": "video"}
    for name in ("gap", "nothing"):
        with pytest.raises(ValueError, match=f"{name}: choose among freeze"):
            chosen([name])


class Answers:
    """A service that answers what it was told to."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.answer = answer
        self.requests: list[dict[str, Any]] = []

    def invoke(self, request: dict[str, Any]) -> dict[str, Any]:
        self.requests.append(request)
        return self.answer


def orchestra(evidence: str = "e") -> tuple[Orchestrator, dict[str, Answers]]:
    services = {
        "converter": Answers({"chunk": "c", "last_frame": "f", "last": False}),
        **{name: Answers({"evidence": evidence, "carry": f"{name} carry"}) for name in DETECTORS},
        "collector": Answers({"events": [], "state": "s"}),
    }
    machine = monitoring(DETECTORS)
    return Orchestrator(machine, cast("dict[str, Service]", services), DETECTORS), services


def test_every_step_is_a_transition_and_state_is_handed_on() -> None:
    orchestrator, services = orchestra()
    first, second = orchestrator.run(), orchestrator.run()
    orchestrator.close()
    assert first.transitions == second.transitions == 3 + len(DETECTORS)
    assert services["black"].requests == [
        {"chunk": "c", "before": None, "carry": None},
        {"chunk": "c", "before": "f", "carry": "black carry"},
    ]
    assert [request["state"] for request in services["collector"].requests] == [None, "s"]
    assert first.payload_bytes > 100
    assert first.latency_s > 0


def test_a_payload_beyond_the_limit_is_refused() -> None:
    orchestrator, _ = orchestra("x" * (PAYLOAD_LIMIT // len(DETECTORS)))
    with pytest.raises(PayloadError, match="262144"):
        orchestrator.run()
    orchestrator.close()


def test_costs_add_up() -> None:
    total = Cost()
    for _ in range(2):
        total.add(Cost(1, 0.5, 0.25, {"fetch": 0.1}, Traffic(gets=3, get_bytes=10), peak_mb=5.0))
    assert total == Cost(2, 1.0, 0.5, {"fetch": 0.2}, Traffic(gets=6, get_bytes=20), peak_mb=5.0)


def seen(kind: str, start_s: float, end_s: float, value: float = 1.0) -> SeenEvent:
    return SeenEvent(kind, start_s, end_s, value)


def test_events_are_compared() -> None:
    known = (seen("video.black", 1.0, 4.0), seen("video.freeze", 6.0, 9.0))
    assert compared(known, known).identical
    assert compared((seen("video.black", 1.0, 4.0, 0.9), known[1]), known).identical is False
    assert compared(known[:1], known).identical is False
    found = compared((seen("video.black", 1.5, 4.1), seen("video.freeze", 20.0, 23.0)), known)
    assert (found.identical, found.found, found.worst_s) == (False, 1, 0.5)
    assert found.missed == ("video.freeze 6.00–9.00 s",)
    assert found.surplus == ("video.freeze 20.00–23.00 s",)


@pytest.fixture
def store() -> Iterator[Store]:
    with server.ObjectStore() as running:
        one = Store(running.access, 3)
        one.create_bucket()
        yield one
        one.close()


@needs_server
@pytest.mark.timeout(180)
def test_the_server_keeps_objects_and_requests_are_counted(store: Store) -> None:
    from botocore.exceptions import ClientError

    objects = [(f"a/{i}", bytes([i]) * (1000 + i)) for i in range(7)]
    store.put(objects)
    assert store.get([key for key, _ in objects]) == [body for _, body in objects]
    store.delete([key for key, _ in objects[:5]])
    assert store.get(["a/5"]) == [objects[5][1]]
    with pytest.raises(ClientError, match="NoSuchKey"):
        store.get(["a/0"])
    traffic = store.traffic
    assert (traffic.puts, traffic.gets, traffic.deletes) == (7, 8, 1)
    assert (traffic.put_bytes, traffic.get_bytes) == (7021, 7021 + 1005)
    assert traffic.rounds == 3 + 3 + 1 + 1
    assert traffic.wait_s > 0


@needs_server
@pytest.mark.timeout(300)
def test_both_designs_are_measured(films: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "object_store.json"
    arguments = ["--film", "tiny", "--films", str(films), "--rounds", "1", "--runs", "raw"]

    assert command.main([*arguments, "--output", str(output)]) == 0

    capsys.readouterr()
    document = result.read(ObjectStoreResult, json.loads(output.read_text(encoding="utf-8")))
    (raw,) = document.measured.runs
    one = document.measured.one_process
    assert raw.agreement.identical
    assert [event.kind for event in one.events] == ["video.black"]
    assert (raw.frames_per_s, one.frames_per_s) == (25.0, 25.0)
    assert raw.transitions == 6.0
    by_name = {service.name: service for service in raw.services}
    assert by_name["converter"].puts == 26.0
    assert by_name["black"].gets == 25.0
    assert by_name["freeze"].gets == pytest.approx(25.0 + 2 / 3, abs=1e-3)
    assert by_name["black"].get_bytes == pytest.approx(25 * 192 * 108 * 1.5)
    # The first chunk has none before it; the last one goes with the one before.
    assert by_name["collector"].deletes == pytest.approx(2 / 3, abs=1e-3)
    for service in raw.services:
        assert service.cpu_s.median > 0
        assert sum(service.parts.values()) == pytest.approx(service.cpu_s.median, rel=0.05)
    assert raw.store_cpu_s.median > 0
    assert [case.run for case in document.cases] == ["raw"]

    # The same measurements under other assumptions, without a server.
    assert command.main(["--measured", str(output), "--workflow", "none", "--price", "put=0"]) == 0
    assert f"{document.cases[0].distributed - 6 * 0.09 - 26 * 0.018:.4f}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--detectors", "gap"], "gap: choose among"),
        (["--runs", "sparse,none"], "run 'none'"),
        (["--machine", "nothing"], "nothing"),
        (["--price", "put"], "NAME=USD"),
        (["--price", "puts=1"], "price 'puts'"),
        (["--utilisation", "0"], "utilisation must be more than 0"),
        (["--measured", "/nothing-there.json"], "nothing-there"),
        (["--rounds", "0"], "must be 1 or more"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--film", "tiny", *arguments]) == 2
    assert named in capsys.readouterr().err
