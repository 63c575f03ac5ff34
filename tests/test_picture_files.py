"""Pictures of events in a folder, named by their JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import av
import pytest

from gpu_qa.errors import ConfigError
from gpu_qa.sinks.event_pictures import EventPictures
from gpu_qa.sinks.picture_files import PictureFiles, file_name
from gpu_qa.sinks.thumbnails import MAX_THUMBNAILS
from tests.faulty_clip import faulty
from tests.report_builder import event
from tests.series_builder import video_series

_FOUND = ["video.freeze", "video.black", "audio.silence"]


def shown(path: str) -> tuple[int, int]:
    """Size of the picture in a file."""
    with av.open(path) as container:
        frame = next(container.decode(video=0))
        return frame.width, frame.height


def test_the_document_names_a_picture_of_each_event(gpu_qa_command: Any, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "pictures"
    ran = gpu_qa_command("analyze", faulty(), "--format", "json", "--pictures", folder)
    events = json.loads(ran.out)["events"]
    assert [one["kind"] for one in events] == _FOUND
    assert len({one["picture"] for one in events}) == len(list(folder.iterdir())) == 3
    for one in events:
        assert shown(one["picture"])[0] >= 100
        assert ("picture_s" in one) is one["kind"].startswith("video.")


def test_each_line_names_it_from_the_first_on(gpu_qa_command: Any, tmp_path: Path) -> None:
    ran = gpu_qa_command("analyze", faulty(), "--format", "jsonl", "--pictures", tmp_path)
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert {line["state"] for line in lines} == {"open", "closed"}
    for line in lines:
        assert Path(line["picture"]).name == file_name(line["id"])
        assert Path(line["picture"]).is_file()


def test_without_the_option_no_event_has_one(gpu_qa_command: Any) -> None:
    ran = gpu_qa_command("analyze", faulty(), "--format", "json")
    assert all("picture" not in one for one in json.loads(ran.out)["events"])


def test_the_page_has_its_pictures_as_well(gpu_qa_command: Any, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    gpu_qa_command("analyze", faulty(), "--pictures", tmp_path / "pictures", "--report", page)
    assert page.read_text().count("data:image/jpeg") == 3


def test_a_folder_that_is_a_file_is_refused(gpu_qa_command: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ran = gpu_qa_command("analyze", faulty(), "--pictures", tmp_path / "file")
    assert ran.code == 2
    assert "cannot be made a folder" in ran.err
    with pytest.raises(ConfigError):
        PictureFiles(str(tmp_path / "file"), print)


def shot(*starts_s: float) -> EventPictures:
    """Pictures of events that begin at these seconds."""
    pictures = EventPictures()
    pictures.add_video(video_series(50, frame_rate=5.0))
    for start_s in starts_s:
        pictures.capture(event(start_s=start_s))
    return pictures


def test_a_picture_is_written_once_and_says_when_it_was_shown(tmp_path: Path) -> None:
    files = PictureFiles(str(tmp_path / "here"), print)
    late = files.write(event(start_s=1.0), shot(1.0))
    assert late is not None
    assert late.shown_s == pytest.approx(7.2, abs=0.3)  # what was left of it
    before = Path(late.path).read_bytes()
    Path(late.path).write_bytes(b"kept")
    assert files.write(event(start_s=1.0), shot(1.0)) == late
    assert Path(late.path).read_bytes() == b"kept" != before
    assert files.forget(event(start_s=1.0).id) == late
    assert files.forget(event(start_s=1.0).id) is None


def test_a_folder_that_goes_away_costs_pictures_only(tmp_path: Path) -> None:
    complaints: list[str] = []
    files = PictureFiles(str(tmp_path / "here"), complaints.append)
    (tmp_path / "here").rmdir()
    assert [files.write(event(start_s=start_s), shot(start_s)) for start_s in (1.0, 2.0)] == [None, None]
    assert len(complaints) == 1
    assert "cannot be written" in complaints[0]
    (tmp_path / "here").mkdir()
    assert files.write(event(start_s=2.0), shot(2.0)) is not None
    assert len(complaints) == 1


def test_events_are_told_when_pictures_cannot_be_written(
    gpu_qa_command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    ran = gpu_qa_command("analyze", faulty(), "--format", "json", "--pictures", tmp_path)
    events = json.loads(ran.out)["events"]
    assert [one["kind"] for one in events] == _FOUND
    assert not any("picture" in one for one in events)
    assert ran.code == 1
    assert ran.err.count("No space left on device") == 1


def test_names_are_safe_short_and_apart() -> None:
    one, other = "https://host/a?b=c/é.ts-video.freeze-1.28", "https://host/a?b=c/e\u0301.ts-video.freeze-1.28"
    for name in (
        file_name(one),
        file_name("x/" * 400),
        file_name("频道" * 400),
        file_name("\udcff"),
        file_name("../.."),
    ):
        assert "/" not in name
        assert not name.startswith(".")
        assert len(name.encode()) < 255
    assert file_name(one) != file_name(other)


def test_a_released_picture_makes_room() -> None:
    pictures = EventPictures()
    for second in range(MAX_THUMBNAILS + 2):
        pictures.add_video(video_series(5, frame_rate=5.0, start_s=float(second)))
        pictures.capture(event(start_s=float(second)))
        if second == MAX_THUMBNAILS:
            assert pictures.of(event(start_s=float(second)).id) is None
            pictures.release(event(start_s=0.0).id)
    assert pictures.of(event(start_s=0.0).id) is None
    assert pictures.of(event(start_s=MAX_THUMBNAILS + 1.0).id)
    assert len(pictures.jpegs) == len(pictures.shown_s) == MAX_THUMBNAILS
