"""The whole way, from an address to a report, on clips with planted faults."""

from __future__ import annotations

import dataclasses
import io
import os
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import gpu_qa
from gpu_qa import config, overload, reader, seat
from gpu_qa.decode import DecodeSettings, open_decoder
from gpu_qa.features import HostPictures
from gpu_qa.features import audio as audio_features
from gpu_qa.sources import SourceSettings
from tests.clips import cached_clip, make_clip, moving_picture
from tests.faulty_clip import CPU, FRAME_S, FREEZE, LIVE, SIZE, faulty, found, near, same_but_for_the_name
from tests.peers import Answer, HttpServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.mark.parametrize("name", ["faulty.ts", "faulty.mp4", "faulty.mkv"])
def test_planted_faults_are_found_where_they_are(name: str) -> None:
    report = gpu_qa.analyze(str(faulty(name)), CPU)

    assert report.error is None
    assert report.exit_code == 1
    assert found(report) == {
        "video.freeze": FREEZE,
        "video.black": near((5, 8)),
        "audio.silence": near((8.5, 11)),
    }
    assert report.measurements["frames_decoded"] == 300
    assert report.measurements["analyzed_s"] == pytest.approx(12, abs=0.1)
    assert {len(thumbnail) > 100 for thumbnail in report.thumbnails.values()} == {True}
    assert set(report.thumbnails) >= {event.id for event in report.events if event.kind.startswith("video")}


def test_a_clean_clip_is_clean() -> None:
    for name, codec, sound in (("clean.mp4", "libx264", "aac"), ("clean.ts", "mpeg2video", "mp2")):
        report = gpu_qa.analyze(str(cached_clip(name, seconds=4, size=SIZE, codec=codec, audio=sound)), CPU)
        assert report.events == ()
        assert report.error is None
        assert report.exit_code == 0


def test_solid_colour_missing_time_and_late_sound(tmp_path: Path) -> None:
    moving = moving_picture(*SIZE)

    def green_from_one_to_four(index: int) -> Any:
        if not 25 <= index < 100:
            return moving(index)
        return tuple(np.full((SIZE[1], SIZE[0]), code, np.uint8) for code in (120, 60, 60))

    solid = make_clip(tmp_path / "solid.mp4", seconds=5, size=SIZE, picture=green_from_one_to_four)
    assert found(gpu_qa.analyze(str(solid), CPU)) == {"video.solid_color": near((1, 4))}

    gap = make_clip(tmp_path / "gap.ts", seconds=3, size=SIZE, audio=None, pts_s=lambda i: i / 25 + (i >= 50) * 1.2)
    assert found(gpu_qa.analyze(str(gap), CPU)) == {"stream.gap": near((2, 3.2))}

    late = make_clip(tmp_path / "late.ts", seconds=6, size=SIZE, audio_start_s=3)
    assert found(gpu_qa.analyze(str(late), CPU)) == {"audio.missing": near((0, 3), tolerance_s=0.1)}


def test_a_change_of_size_is_told_where_it_happens(tmp_path: Path) -> None:
    first = make_clip(tmp_path / "first.ts", seconds=2, size=SIZE, audio=None)
    second = make_clip(tmp_path / "second.ts", seconds=2, size=(128, 72), audio=None, start_s=2)
    both = tmp_path / "both.ts"
    both.write_bytes(first.read_bytes() + second.read_bytes())

    report = gpu_qa.analyze(str(both), CPU)

    (event,) = (event for event in report.events if event.kind == "stream.format_change")
    assert event.start_s == pytest.approx(2, abs=FRAME_S)
    assert (event.details["old"]["width"], event.details["new"]["width"]) == (160, 128)
    assert report.measurements["frames_decoded"] == 100


@pytest.mark.parametrize(("codec", "audio"), [("libx264", None), (None, "aac")])
def test_picture_alone_and_sound_alone_are_analyzed(codec: str | None, audio: str | None) -> None:
    spans = {"freeze": (1, 4)} if codec else {"silence": (1, 4)}
    report = gpu_qa.analyze(str(cached_clip("alone.mp4", seconds=5, size=SIZE, codec=codec, audio=audio, **spans)), CPU)
    assert found(report) == ({"video.freeze": FREEZE} if codec else {"audio.silence": near((1, 4))})
    assert report.measurements["integrated_lufs"] is None or audio


class _Dripping(io.RawIOBase):
    """A stream of bytes that cannot seek and gives little at a time."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        piece, self._data = self._data[:997], self._data[997:]
        return bytes(piece)


def test_the_way_in_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    clip = faulty()
    data = clip.read_bytes()
    whole = gpu_qa.analyze(str(clip), CPU)
    expected = same_but_for_the_name(whole)
    assert len(expected) == 3

    with clip.open("rb") as file:
        opened = gpu_qa.analyze(file, CPU)
    dripping = gpu_qa.analyze(_Dripping(data), CPU)  # type: ignore[arg-type]
    with _piped(data) as fd:
        monkeypatch.setattr("gpu_qa.sources.source._STDIN_FD", fd)
        stdin = gpu_qa.analyze("-", CPU)
    with HttpServer(lambda _: Answer(data)) as server:
        by_http = gpu_qa.analyze(server.url("clip.ts"), CPU)

    assert opened.stream == whole.stream == str(clip)
    assert dripping.stream == "<_Dripping>"
    assert stdin.stream == "stdin"
    assert by_http.stream.startswith("http://127.0.0.1")
    for report in (opened, dripping, stdin, by_http):
        assert report.error is None
        assert same_but_for_the_name(report) == expected


class _piped:  # noqa: N801 - reads as what it is
    """The reading end of a pipe that a thread fills."""

    def __init__(self, data: bytes) -> None:
        self._fd, write = os.pipe()

        def fill() -> None:
            with open(write, "wb") as end:  # noqa: PTH123 - a descriptor has no path
                end.write(data)

        self._thread = threading.Thread(target=fill)

    def __enter__(self) -> int:
        self._thread.start()
        return self._fd

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        os.close(self._fd)


def test_chunking_changes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.ts"
    data = bytearray(faulty().read_bytes())
    data[len(data) // 2 : len(data) // 2 + 40 * 188] = b""  # what the transport and the decoder see, too
    damaged.write_bytes(data)

    def judged(*, rows: int = 12, series_s: float = 0.4, packets: int = 8, threads: int = 0) -> list[dict[str, Any]]:
        monkeypatch.setattr(reader, "ROWS_OF_FILES", rows)
        monkeypatch.setattr(audio_features, "SERIES_S", series_s)
        monkeypatch.setattr(reader, "MAILBOX_PACKETS", packets)
        settings = gpu_qa.Settings(decode=DecodeSettings(device="cpu", threads=threads))
        events = same_but_for_the_name(gpu_qa.analyze(str(damaged), settings))
        for event in events:
            # What a cause names when it closes depends on how far slower detectors have come by then.
            event["details"].pop("consequences", None)
        return events

    expected = judged()
    assert {"video.freeze", "video.black", "audio.silence", "stream.decode_error"} <= {e["kind"] for e in expected}
    for other in ({"rows": 1}, {"rows": 7}, {"rows": 24}, {"rows": 1000}, {"series_s": 0.01}, {"series_s": 100.0}):
        assert judged(**other) == expected, other
    assert judged(packets=1) == expected
    for threads in (1, 3):
        assert judged(threads=threads) == expected, threads
    assert judged(rows=7, series_s=0.13, packets=3, threads=2) == expected


def test_runs_are_the_same_each_time() -> None:
    first, second = (gpu_qa.analyze(str(faulty()), CPU) for _ in range(2))
    assert first.events == second.events
    assert {**first.measurements, "wall_s": 0, "real_time_factor": 0} == {
        **second.measurements,
        "wall_s": 0,
        "real_time_factor": 0,
    }


def test_a_live_burst_is_measured_whole() -> None:
    """Segments of HLS come faster than they play, and faster than the first of them is measured."""
    report = gpu_qa.analyze(str(faulty()), LIVE)
    assert report.measurements["frames_dropped"] == 0
    assert same_but_for_the_name(report) == same_but_for_the_name(gpu_qa.analyze(str(faulty()), CPU))


def test_a_live_input_that_outruns_us_loses_pictures_that_are_counted_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measuring a picture takes three times as long as it is shown."""
    for module in (reader, overload):
        monkeypatch.setattr(module, "LIVE_PATIENCE_S", 0.3)
    measure = HostPictures.measure

    def slowly(self: HostPictures, frame: Any) -> Any:
        time.sleep(3 * FRAME_S)
        return measure(self, frame)

    monkeypatch.setattr(HostPictures, "measure", slowly)
    paced = dataclasses.replace(CPU, source=SourceSettings(real_time=True))
    report = gpu_qa.analyze(str(cached_clip("paced.ts", seconds=6, size=SIZE, gop=12, silence=(2.5, 5))), paced)
    counted = report.measurements
    assert counted["frames_dropped"] > 50
    assert counted["frames_decoded"] + counted["frames_dropped"] == 150
    events = found(report)
    assert events["audio.silence"] == near((2.5, 5))
    assert {kind for kind in events if kind.startswith("stream.")} == {"stream.overload"}, "no fault of the stream's"
    worst = max(
        (event for event in report.events if event.kind == "stream.overload"), key=lambda event: event.value or 0
    )
    assert (worst.value or 0) >= 12
    assert worst.details["behind_s"] >= 0.1


def test_a_slow_consumer_is_no_stall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seat, "QUIET_S", 0.2)
    settings = dataclasses.replace(LIVE, detectors=CPU.select(["stalled", "silence"]).detectors)
    analysis = gpu_qa.Analysis(str(faulty()), settings)
    kinds = []
    for event in analysis:
        kinds.append(event.kind)
        time.sleep(0.5)
    assert set(kinds) == {"audio.silence"}


def test_sound_waits_for_the_first_picture_however_long_its_decoder_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = open_decoder

    def slowly(track: Any, settings: Any) -> Any:
        time.sleep(0.6 if track.kind == "video" else 0.0)
        return opened(track, settings)

    expected = same_but_for_the_name(gpu_qa.analyze(str(faulty()), CPU))
    monkeypatch.setattr(reader, "open_decoder", slowly)
    assert same_but_for_the_name(gpu_qa.analyze(str(faulty()), CPU)) == expected


@pytest.mark.parametrize("kind", ["audio", "video"])
def test_a_track_that_nothing_decodes_is_not_called_clean(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = open_decoder

    def refusing(track: Any, settings: DecodeSettings) -> Any:
        if track.kind == kind:
            raise gpu_qa.DecodeError(f"no decoder for {track.codec}")
        return opened(track, settings)

    monkeypatch.setattr(reader, "open_decoder", refusing)
    report = gpu_qa.analyze(str(cached_clip("long.ts", seconds=9, size=SIZE)), CPU)
    index = 0 if kind == "video" else 1
    codec = "h264" if kind == "video" else "aac"
    assert {event.kind for event in report.events} <= {"video.loop"}  # the test picture repeats itself
    assert report.error == f"track {index} was not analyzed: no decoder for {codec}"
    assert report.exit_code == 2
    assert report.measurements["analyzed_s"] > 8.9
    assert (report.measurements["frames_decoded"] > 0) == (kind == "audio")


@dataclasses.dataclass(frozen=True, slots=True)
class _BrightLimits:
    raise_luma: float = 0.2


def _bright(
    series: gpu_qa.VideoSeries, limits: _BrightLimits, carry: int | None
) -> tuple[list[gpu_qa.Evidence], int | None]:
    luma = series.luma.mean(axis=(1, 2))
    verdict = np.where(luma >= limits.raise_luma, 1, -1).astype(np.int8)
    evidence = gpu_qa.Evidence(
        "video.bright", "", series.pts_s, series.end_s, verdict, luma, limits.raise_luma, "full_scale", message="bright"
    )
    return [evidence], (carry or 0) + len(series)


@pytest.fixture
def own_detector(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    bright = gpu_qa.Detector(
        "bright",
        ("video.bright",),
        "video",
        _bright,
        _BrightLimits(),
        gpu_qa.EventTiming(raise_after_s=0.5),
        summary="A bright picture.",
        source="this test",
    )
    monkeypatch.setattr(config, "all_detectors", lambda: (bright,))
    config.known_detectors.cache_clear()
    yield bright.name
    config.known_detectors.cache_clear()


def test_a_detector_of_ones_own_is_run_with_its_settings(own_detector: str) -> None:
    def analyzed(limit: float) -> gpu_qa.Report:
        chosen = gpu_qa.DetectorSettings(_BrightLimits(limit), gpu_qa.EventTiming(raise_after_s=1.0))
        settings = gpu_qa.Settings(decode=CPU.decode, detectors={own_detector: chosen})
        return gpu_qa.analyze(str(faulty()), settings)

    report = analyzed(0.2)
    assert found(report) == {"video.bright": near((0, 5), (8, 12))}
    assert report.settings["detectors"]["bright"]["raise_after_s"] == 1.0
    assert analyzed(0.9).events == ()
    with pytest.raises(gpu_qa.ConfigError, match="freeze"):
        gpu_qa.Settings(detectors={"freeze": gpu_qa.DetectorSettings(None, gpu_qa.EventTiming())})


def test_only_chosen_detectors_run() -> None:
    report = gpu_qa.analyze(str(faulty()), CPU.select(["video.black"]))
    assert set(found(report)) == {"video.black"}
    assert list(report.settings["detectors"]) == ["black"]
