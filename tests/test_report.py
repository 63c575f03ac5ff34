"""A report: what it keeps, how it names its input, and the code that the command exits with."""

from __future__ import annotations

import dataclasses
import io
import socket
from typing import TYPE_CHECKING, Any

import pytest

import gpu_qa
from gpu_qa.sources import SourceSettings
from gpu_qa.stream import MAX_EVENTS
from tests.faulty_clip import CPU, faulty
from tests.peers import Answer, HttpServer, free_port

if TYPE_CHECKING:
    from pathlib import Path


def test_exit_codes() -> None:
    def code(error: str | None, *severities: Any, analyzed_s: float = 5.0) -> int:
        events = tuple(
            gpu_qa.Event(f"a-b-{n}", "a", "b", "closed", severity, 0.0, 1.0, 1.0, 1.0, "s", 1.0, "")
            for n, severity in enumerate(severities)
        )
        return gpu_qa.Report("a", {}, events, {"analyzed_s": analyzed_s}, (), {}, {}, error).exit_code

    assert code(None) == 0
    assert code(None, "info") == 0
    assert code(None, "info", "warn") == 1
    assert code(None, "critical") == 1
    assert code("broke off") == 2
    assert code("broke off", "info") == 2
    assert code("broke off", "major") == 1
    assert code("nothing decodes", "major", analyzed_s=0.0) == 2


_SECRETS = ("hunter2", "t0ps3cret", "deadbeef")


@pytest.mark.parametrize(
    "url",
    [
        "http://ada:hunter2@127.0.0.1:{port}/film.ts?token=t0ps3cret&x=1",
        "rtsp://ada:hunter2@127.0.0.1:{port}/film",
        "rtmp://ada:hunter2@127.0.0.1:{port}/live/film?auth=t0ps3cret",
        "srt://127.0.0.1:{port}?passphrase=t0ps3cretpass&mode=caller",
        "gopher://ada:hunter2@127.0.0.1/film?signature=deadbeef",
        "http://ada:hunter2@[::bad/film.ts",
    ],
)
def test_credentials_are_never_told(url: str) -> None:
    kind = socket.SOCK_DGRAM if url.startswith("srt") else socket.SOCK_STREAM
    address = url.format(port=free_port(kind)) if "{port}" in url else url
    settings = dataclasses.replace(CPU, source=SourceSettings(open_timeout_s=2))
    report = gpu_qa.analyze(address, settings)

    assert report.exit_code == 2
    assert report.error
    everything = repr(dataclasses.asdict(report))
    assert not [secret for secret in _SECRETS if secret in everything]
    assert "127.0.0.1" in report.stream or "bad" in report.stream


def test_a_detected_input_keeps_its_name_without_credentials() -> None:
    data = faulty().read_bytes()
    with HttpServer(lambda _: Answer(data)) as server:
        url = server.url("film.ts?token=t0ps3cret").replace("//", "//ada:hunter2@")
        report = gpu_qa.analyze(url, CPU)
    assert report.exit_code == 1
    assert len(report.events) == 3
    everything = repr(dataclasses.asdict(report))
    assert not [secret for secret in _SECRETS if secret in everything]


def test_what_does_not_open_is_named_as_what_does(tmp_path: Path) -> None:
    path = tmp_path / "empty.ts"
    path.touch()
    with path.open("rb") as file:
        for given, name in ((str(path), str(path)), (file, str(path)), (io.BytesIO(b""), "<BytesIO>")):
            report = gpu_qa.analyze(given, CPU)
            assert report.exit_code == 2
            assert report.stream == name
            assert report.media == {}


def test_events_that_are_not_kept_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_EVENTS >= 1000
    monkeypatch.setattr("gpu_qa.stream.MAX_EVENTS", 1)
    told: list[gpu_qa.Event] = []
    report = gpu_qa.analyze(str(faulty()), CPU, on_event=told.append)
    assert len({event.id for event in told}) == 3
    assert [event.kind for event in report.events] == ["video.freeze"]
    assert report.measurements["events_not_kept"] == 2
