"""`reference` in lists of streams: each probe is laid over it while all are analyzed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

import gpu_qa
from gpu_qa.sync import follower
from gpu_qa.sync.schedule import lay
from tests.clips import make_clip
from tests.test_compare import SECONDS, SIZE, clip, picture_of, sound_of

if TYPE_CHECKING:
    from pathlib import Path

LIST = """
[defaults]
decode.device = "cpu"

[[streams]]
name = "late"
input = "late.mp4"
reference = "studio"
[[streams]]
name = "studio"
input = "reference.mp4"
[[streams]]
name = "same"
input = "reference.mp4"
reference = "studio"
[[streams]]
name = "other"
input = "other.mp4"
reference = "studio"
[[streams]]
name = "silent"
input = "silent.mp4"
reference = "studio"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("reference")
    clip(made / "reference.mp4")
    clip(made / "late.mp4", picture_s=2.0, sound_s=1.8, codec_options={"crf": "36"})
    clip(made / "other.mp4", seed=7)
    clip(made / "silent.mp4", audio=None)
    return made


def analyzed(
    folder: Path, text: str, *options: str, detectors: str = "av_offset,mismatch"
) -> dict[str, dict[str, Any]]:
    """The documents by stream."""
    (folder / "list.toml").write_text(text)
    command = [sys.executable, "-m", "gpu_qa", "analyze", "--streams", "list.toml", "--format", "json", "--quiet"]
    command += ["--detectors", detectors, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200, cwd=folder)
    documents, rest, decoder = dict[str, dict[str, Any]](), done.stdout.strip(), json.JSONDecoder()
    while rest:
        document, end = decoder.raw_decode(rest)
        documents[document["stream"]] = document
        rest = rest[end:].strip()
    assert documents, done.stderr
    return documents


def by_reference(document: dict[str, Any]) -> dict[str, Any]:
    told = document["measurements"]["av_offset_ways"]["reference"]
    assert isinstance(told, dict)
    return told


@pytest.mark.timeout(300)
@pytest.mark.parametrize("jobs", ["1", "3"])
def test_probes_of_one_reference_are_each_laid_over_it(folder: Path, jobs: str) -> None:
    found = analyzed(folder, LIST, "--jobs", jobs)

    assert list(found) == ["late", "studio", "same", "other", "silent"]
    late = found["late"]
    assert late["measurements"]["av_offset_method"] == "reference"
    assert late["measurements"]["av_offset_s"] == pytest.approx(0.2, abs=0.005)
    told = by_reference(late)
    assert (told["stream"], told["reason"]) == ("studio", None)
    assert told["picture_delay_s"] == pytest.approx(2.0, abs=0.005)
    assert told["sound_delay_s"] == pytest.approx(1.8, abs=0.005)
    (event,) = [event for event in late["events"] if event["kind"] == "av.offset"]
    assert (event["details"]["side"], event["details"]["way"]) == ("early", "reference")
    assert event["value"] == pytest.approx(200, abs=5)

    same = found["same"]
    assert same["measurements"]["av_offset_s"] == pytest.approx(0.0, abs=0.001)
    assert same["events"] == []
    assert "reference" not in found["studio"]["measurements"]["av_offset_ways"]
    other = by_reference(found["other"])
    assert other["offset_s"] is None
    assert other["reason"] == "other content: the picture and the sound are not in the reference"
    (event,) = [event for event in found["other"]["events"] if event["kind"] == "stream.mismatch"]
    assert (event["severity"], event["start_s"]) == ("major", 0.0)
    assert event["details"] == {"reference": "studio", "what": "picture and sound"}
    assert all(event["kind"] != "stream.mismatch" for name in ("late", "silent") for event in found[name]["events"])
    silent = by_reference(found["silent"])
    assert (silent["offset_s"], silent["reason"]) == (None, "no sound in the probe")
    assert silent["picture_delay_s"] == pytest.approx(0.0, abs=0.001)


@pytest.mark.timeout(300)
def test_other_content_is_a_defect_whatever_else_is_judged(folder: Path) -> None:
    text = (
        LIST.partition('[[streams]]\nname = "late"')[0]
        + """
[[streams]]
name = "studio"
input = "reference.mp4"
[[streams]]
name = "other"
input = "other.mp4"
reference = "studio"
"""
    )
    (folder / "two.toml").write_text(text)
    command = [sys.executable, "-m", "gpu_qa", "analyze", "--streams", "two.toml", "--quiet", "--detectors"]
    for detectors, code in (("mismatch", 1), ("av_offset", 0)):
        assert subprocess.run([*command, detectors], check=False, timeout=200, cwd=folder).returncode == code


def without_some(index: int) -> int:
    """From 5 to 10 s every ninth picture is left out."""
    return index + min(max(index - 121, 0) // 8, 14)


@pytest.mark.timeout(300)
def test_pictures_that_are_lost_against_the_reference_are_told(folder: Path) -> None:
    shown = picture_of(1, 0.0, 25)
    make_clip(
        folder / "jerky.mp4",
        seconds=SECONDS,
        size=SIZE,
        picture=lambda index: shown(without_some(index)),
        pts_s=lambda index: without_some(index) / 25,
        sound=sound_of(1, 0.0),
    )
    text = """
[defaults]
decode.device = "cpu"
[[streams]]
name = "studio"
input = "reference.mp4"
[[streams]]
name = "jerky"
input = "jerky.mp4"
reference = "studio"
[[streams]]
name = "same"
input = "late.mp4"
reference = "studio"
[[streams]]
name = "lenient"
input = "jerky.mp4"
reference = "studio"
detectors.frame_loss.pictures = 20
"""
    found = analyzed(folder, text, detectors="frame_loss")
    (event,) = found["jerky"]["events"]
    counted = by_reference(found["jerky"])
    assert event["kind"] == "stream.frame_loss"
    assert 4.9 < event["start_s"] < event["end_s"] < 10.1
    assert event["details"] == {"reference": "studio", "lost": counted["frames_lost"], "repeated": 0}
    assert event["value"] == counted["frames_lost"]
    assert 5 <= event["value"] <= 14
    assert found["same"]["events"] == found["lenient"]["events"] == found["studio"]["events"] == []


@pytest.mark.timeout(300)
def test_live_probes_are_laid_over_a_live_reference(folder: Path) -> None:
    text = """
[defaults]
source.real_time = true
decode.device = "cpu"
[[streams]]
name = "late"
input = "late.mp4"
reference = "studio"
[[streams]]
name = "studio"
input = "reference.mp4"
"""
    told = by_reference(analyzed(folder, text)["late"])
    assert told["offset_s"] == pytest.approx(0.2, abs=0.005)
    assert told["picture_delay_s"] == pytest.approx(2.0, abs=1.0), "by the clock on the wall"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("real_time", ["false", "true"])
def test_a_reference_that_cannot_be_read_leaves_the_other_ways(folder: Path, real_time: str) -> None:
    text = f"""
[defaults]
decode.device = "cpu"
[[streams]]
name = "studio"
input = "missing.mp4"
[[streams]]
name = "probe"
input = "reference.mp4"
source.real_time = {real_time}
reference = "studio"
"""
    found = analyzed(folder, text)
    assert found["studio"]["error"]
    probe = found["probe"]
    assert "error" not in probe
    assert probe["measurements"]["analyzed_s"] > 13
    told = by_reference(probe)
    assert told["offset_s"] is None
    assert told["reason"]


@pytest.mark.timeout(300)
def test_a_still_picture_and_a_short_reference_give_no_number(folder: Path) -> None:
    make_clip(folder / "still.mp4", seconds=12, size=(96, 64), freeze=(0, 12), silence=(0, 12))
    make_clip(folder / "short.mp4", seconds=2, size=(96, 64))
    text = """
[defaults]
decode.device = "cpu"
[[streams]]
name = "studio"
input = "reference.mp4"
[[streams]]
name = "still"
input = "still.mp4"
reference = "studio"
[[streams]]
name = "stub"
input = "short.mp4"
[[streams]]
name = "probe"
input = "reference.mp4"
reference = "stub"
"""
    found = analyzed(folder, text)
    still, probe = by_reference(found["still"]), by_reference(found["probe"])
    assert still["offset_s"] is None
    assert "silence in the probe" in still["reason"]
    assert probe["offset_s"] is None
    assert probe["reason"]


@pytest.mark.timeout(300)
def test_a_slow_thread_beside_changes_nothing_and_holds_nobody_up(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy waits for its own thread; a stream beside it does not."""

    def run(pause_s: float) -> tuple[list[dict[str, Any]], list[str]]:
        def slow(*arguments: Any) -> Any:
            time.sleep(pause_s)
            return lay(*arguments)

        monkeypatch.setattr(follower, "lay", slow)
        settings = gpu_qa.Settings(decode=gpu_qa.DecodeSettings(device="cpu")).select(["av_offset"])
        engine = gpu_qa.Engine(gpu_qa.EngineSettings(files_at_once=3))
        reference = engine.add(str(folder / "reference.mp4"), settings, name="studio")
        late = engine.add(str(folder / "late.mp4"), settings, name="late", reference=reference)
        engine.add(str(folder / "silent.mp4"), settings, name="beside")
        told, ended = [], []
        for update in engine:
            if update.event is None:
                ended.append(update.stream.name)
            elif update.stream is late:
                event = update.event
                told.append({"id": event.id, "state": event.state, "end_s": event.end_s, "value": event.value})
        return [*told, by_reference({"measurements": late.report().measurements})], ended

    wanted, _ = run(0.0)
    assert len(wanted) >= 2
    found, ended = run(2.0)
    assert found == wanted
    assert ended.index("beside") < ended.index("late")
