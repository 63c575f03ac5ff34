"""Pictures of events in a folder, named by their JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import av
import pytest

from gpu_qa.errors import ConfigError, OutputError
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
        PictureFiles(str(tmp_path / "file"))


def test_a_picture_is_written_once_and_an_error_is_told(tmp_path: Path) -> None:
    files = PictureFiles(str(tmp_path / "here"))
    files.write(event(), b"one")
    files.write(event(), b"two")
    (path,) = files.paths.values()
    assert Path(path).read_bytes() == b"one"
    files.forget(event().id)
    assert not files.paths
    Path(path).unlink()
    Path(path).mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        files.write(event(), b"three")


def test_names_are_safe_short_and_apart() -> None:
    one, other = "https://host/a?b=c/é.ts-video.freeze-1.28", "https://host/a?b=c/e\u0301.ts-video.freeze-1.28"
    for name in (file_name(one), file_name("x/" * 400), file_name("\udcff"), file_name("../..")):
        assert "/" not in name
        assert not name.startswith(".")
        assert len(name) < 128
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
