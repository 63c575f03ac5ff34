"""The command with many inputs at once, in one table, one list or one file of streams."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import gpu_qa
from gpu_qa.errors import AdmissionError
from gpu_qa.stream import StreamAnalysis
from tests.clips import cached_clip, flip_bits, make_clip
from tests.command import clean_clip, frozen_clip

if TYPE_CHECKING:
    from pathlib import Path


def test_of_several_inputs_the_worst_counts(gpu_qa_command: Any) -> None:
    ran = gpu_qa_command("analyze", "not-there.mp4", frozen_clip(), clean_clip())
    assert ran.code == 2
    assert "3 inputs" in ran.out
    assert ran.out.index("not-there.mp4") < ran.out.index("frozen.ts") < ran.out.index("clean.ts")
    assert gpu_qa_command("analyze", frozen_clip(), clean_clip()).code == 1


def test_a_fault_of_ours_is_one_line_and_spares_the_other_inputs(
    gpu_qa_command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = StreamAnalysis.take

    def broken(self: StreamAnalysis, *delivery: Any) -> Any:
        if self.name.endswith("frozen.ts"):
            raise AttributeError("none such")
        return take(self, *delivery)

    monkeypatch.setattr(StreamAnalysis, "take", broken)
    ran = gpu_qa_command("analyze", frozen_clip(), clean_clip(), "--format", "json")
    assert ran.code == 2
    assert [document["stream"] for document in ran.documents()] == [str(frozen_clip()), str(clean_clip())]
    assert [document.get("error") for document in ran.documents()] == [
        "internal error: AttributeError: none such",
        None,
    ]
    error = "internal error: AttributeError: none such; run with --verbose for the traceback"
    assert ran.err == f"gpu-qa: {frozen_clip()}: {error}\n"
    assert "Traceback" in gpu_qa_command("analyze", frozen_clip(), "--verbose").err


def comparable(document: dict[str, Any]) -> dict[str, Any]:
    """A document without what differs from run to run: how long it took."""
    taken = {"wall_s", "real_time_factor"}
    return {**document, "measurements": {k: v for k, v in document["measurements"].items() if k not in taken}}


@pytest.fixture
def mixture(tmp_path: Path) -> list[Path]:
    """Clips of many sizes and rates, with faults and without; garbage; one that is missing; one that breaks off."""
    garbage = tmp_path / "garbage.ts"
    garbage.write_bytes(bytes(range(256)) * 300)
    whole = cached_clip("cut.ts", seconds=3, size=(128, 96), gop=12).read_bytes()
    short = tmp_path / "short.ts"
    short.write_bytes(whole[: len(whole) * 2 // 5])
    damaged = make_clip(tmp_path / "damaged.ts", seconds=2, size=(160, 90), gop=12)
    return [
        cached_clip("one.mp4", seconds=3, size=(320, 180), freeze=(0.5, 3)),
        garbage,
        cached_clip("two.ts", seconds=2, size=(176, 144), rate=50),
        tmp_path / "missing.ts",
        cached_clip("three.mkv", seconds=3, size=(98, 54), rate=30, pixel_format="yuv420p10le", silence=(0, 3)),
        short,
        flip_bits(damaged, 60, seed=1, skip=20_000),
        cached_clip("four.mp4", seconds=4, size=(64, 48), codec="libx265", black=(1, 4)),
        cached_clip("five.wav", seconds=3, codec=None, audio="pcm_s16le"),
    ]


def test_many_at_once_give_what_each_gives_alone(gpu_qa_command: Any, mixture: list[Path], tmp_path: Path) -> None:
    one_thread = tmp_path / "one_thread.toml"
    # How damage is mended depends on how many threads a decoder has.
    one_thread.write_text("decode.threads = 1\n")
    options = ("--config", one_thread, "--format", "json")
    alone = [gpu_qa_command("analyze", path, *options) for path in mixture]
    assert {ran.code for ran in alone} == {0, 1, 2}
    for jobs in (2, 20):
        ran = gpu_qa_command("analyze", *mixture, *options, "--jobs", jobs)
        assert ran.code == 2
        assert [document["stream"] for document in ran.documents()] == [str(path) for path in mixture]
        for one, many in zip(alone, ran.documents(), strict=True):
            assert comparable(many) == comparable(one.documents()[0])
        assert sorted(ran.err.splitlines()) == sorted(line for one in alone for line in one.err.splitlines())


def test_events_of_many_come_as_lines_with_their_streams(gpu_qa_command: Any, mixture: list[Path]) -> None:
    paths = [mixture[0], mixture[4], mixture[7]]
    events = [json.loads(line) for line in gpu_qa_command("analyze", *paths, "--format", "jsonl").out.splitlines()]
    assert {event["stream"] for event in events} == {str(path) for path in paths}
    for path in paths:
        alone = gpu_qa_command("analyze", path, "--format", "jsonl").out.splitlines()
        assert [event for event in events if event["stream"] == str(path)] == [json.loads(line) for line in alone]


def test_the_same_input_twice_has_two_names(gpu_qa_command: Any) -> None:
    clip = str(frozen_clip())
    documents = gpu_qa_command("analyze", clip, clip, "--format", "json").documents()
    assert [document["stream"] for document in documents] == [clip, f"{clip} (2)"]
    ids = [event["id"] for document in documents for event in document["events"]]
    assert len(ids) == len(set(ids)) >= 2


def test_a_streams_file_names_streams_and_says_how_each_is_judged(gpu_qa_command: Any, tmp_path: Path) -> None:
    (tmp_path / "clips").symlink_to(frozen_clip().parent)
    streams = tmp_path / "streams.toml"
    streams.write_text(
        """
        [[streams]]
        name = "strict"
        input = "clips/frozen.ts"
        [[streams]]
        name = "lenient"
        input = "clips/frozen.ts"
        [streams.detectors.freeze]
        raise_after_s = 3.5
        [[streams]]
        name = "short"
        input = "clips/frozen.ts"
        duration_s = 0.5
        """
    )
    ran = gpu_qa_command("analyze", clean_clip(), "--streams", streams, "--format", "json")
    clean, strict, lenient, short = ran.documents()
    assert ran.code == 1
    assert [document["stream"] for document in ran.documents()] == [str(clean_clip()), "strict", "lenient", "short"]
    assert [event["kind"] for event in strict["events"]] == ["video.freeze"]
    assert strict["events"][0]["stream"] == "strict"
    assert clean["events"] == lenient["events"] == short["events"] == []
    assert short["measurements"]["analyzed_s"] < 1.5 < lenient["measurements"]["analyzed_s"]


def test_options_win_over_the_streams_file(gpu_qa_command: Any, tmp_path: Path) -> None:
    streams = tmp_path / "streams.toml"
    streams.write_text(
        f"[[streams]]\nname = 'a'\ninput = '{frozen_clip()}'\nduration_s = 0.2\nsource.video_track = 7\n"
    )
    assert gpu_qa_command("analyze", "--streams", streams).code == 2
    ran = gpu_qa_command(
        "analyze", "--streams", streams, "--video-track", "0", "--duration", "60", "--detectors", "freeze",
        "--format", "json",
    )  # fmt: skip
    (document,) = ran.documents()
    assert [event["kind"] for event in document["events"]] == ["video.freeze"]


def test_a_list_of_inputs(gpu_qa_command: Any, tmp_path: Path) -> None:
    inputs = tmp_path / "inputs.txt"
    inputs.write_text(f"# all of them\n{clean_clip()}\n{frozen_clip()}\n")
    ran = gpu_qa_command("analyze", "--streams", inputs)
    assert ran.code == 1
    assert ran.out.splitlines()[-1].startswith("2 inputs · 1 clean · 1 with defects")


def test_a_page_of_many_inputs(gpu_qa_command: Any, tmp_path: Path, mixture: list[Path]) -> None:
    page = tmp_path / "page.html"
    assert gpu_qa_command("analyze", *mixture, "--format", "json", "--report", page).code == 2
    text = page.read_text(encoding="utf-8")
    assert "9 inputs" in text
    assert "The worst first" in text
    for path in mixture:
        assert path.name in text


def test_files_at_real_time_take_as_long_as_they_play(gpu_qa_command: Any) -> None:
    clips = [cached_clip(f"paced{n}.ts", seconds=2, size=(64, 48)) for n in range(3)]
    ran = gpu_qa_command("analyze", *clips, "--real-time", "--jobs", "1", "--format", "json")
    assert ran.code == 0
    assert sorted(document["stream"] for document in ran.documents()) == sorted(map(str, clips))
    for document in ran.documents():
        assert document["media"]["live"] is True
        # All at once, though only one file would have its turn.
        assert 1.5 < document["measurements"]["wall_s"] < 5.0


def test_who_is_refused_does_not_cost_the_others(gpu_qa_command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    add = gpu_qa.Engine.add

    def refusing(self: gpu_qa.Engine, source: Any, *arguments: Any, name: str, **keywords: Any) -> Any:
        if "frozen" in source:
            raise AdmissionError(f"{name} is refused: no room")
        return add(self, source, *arguments, name=name, **keywords)

    monkeypatch.setattr(gpu_qa.Engine, "add", refusing)
    inputs = (frozen_clip(), clean_clip(), frozen_clip(), clean_clip())
    ran = gpu_qa_command("analyze", *inputs, "--jobs", "1", "--format", "json")
    refused, clean = f"{frozen_clip()} is refused: no room", None
    again = f"{frozen_clip()} (2) is refused: no room"
    assert [document.get("error") for document in ran.documents()] == [refused, clean, again, clean]
    assert ran.code == 2
    assert ran.err.splitlines() == [f"gpu-qa: {refused}", f"gpu-qa: {again}"]
    live = gpu_qa_command("analyze", *inputs, "--real-time", "--duration", "0.5", "--format", "json")
    errors = [document.get("error") for document in live.documents()]
    assert (set(errors), len(errors)) == ({refused, again, None}, 4)


def test_a_remark_of_several_names_its_stream(gpu_qa_command: Any) -> None:
    err = gpu_qa_command("analyze", clean_clip(), frozen_clip(), "--verbose").err
    assert f"gpu-qa: {frozen_clip()}: 0:00:01" in err
    assert f"gpu-qa: {clean_clip()}: decoded by " in err
    alone = gpu_qa_command("analyze", frozen_clip(), "--verbose").err
    assert "gpu-qa: 0:00:01" in alone
