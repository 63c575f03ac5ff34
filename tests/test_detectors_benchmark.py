"""The benchmark of the detectors: its material, what it reads of FFmpeg, what it writes. Never how good."""

from __future__ import annotations

import dataclasses
import json
import shutil
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import result
from benchmarks.detectors import __main__ as benchmark
from benchmarks.detectors import material, measure, page, peers, plan, sweep
from benchmarks.detectors.plot import Chart, Line, sheet
from benchmarks.detectors.schema import DetectionResult, SweepResult
from benchmarks.detectors.sound import KINDS, RATE_HZ, programme
from gpu_qa.config import known_detectors
from gpu_qa.errors import SourceError
from gpu_qa.inject import FAULTS
from tests.clips import cached_clip, make_clip
from tests.detection_rows import a_base, row, told, truth

# --- FFmpeg -----------------------------------------------------------------------------------------------------------


def test_ffmpeg_stretches_are_read() -> None:
    lines = [
        "frame:0    pts:0       pts_time:0",
        "frame:60   pts:60      pts_time:2.4",
        "lavfi.freezedetect.freeze_start=1.2",
        "frame:100  pts:100     pts_time:4",
        "lavfi.freezedetect.freeze_duration=2.8",
        "lavfi.freezedetect.freeze_end=4",
        "frame:150  pts:150     pts_time:6",
        "lavfi.freezedetect.freeze_start=5",
    ]
    answer = peers.read(peers.PEERS["freezedetect"], lines)
    assert answer["spans"] == [[1.2, 4.0], [5.0, 6.1]]


def test_ffmpeg_numbers_are_judged_by_the_clean_copies() -> None:
    def answer(*values: float) -> dict[str, Any]:
        lines = [
            line
            for number, value in enumerate(values)
            for line in (f"frame:{number} pts:1 pts_time:{number / 2}", f"lavfi.blur={value}")
        ]
        return peers.read(peers.PEERS["blurdetect"], lines)

    clean = answer(1, 3, 4, 4, 2, 2)
    assert clean["seconds"] == [2.0, 4.0, 2.0]
    limit = peers.limits({"blurdetect": [clean]})["blurdetect"]
    assert limit == 4.0
    assert peers.spans("blurdetect", clean, limit) == []
    assert peers.spans("blurdetect", answer(1, 1, 9, 9, 8, 8, 1, 1), limit) == [(1.0, 3.0)]


@pytest.mark.needs_ffmpeg
@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")
@pytest.mark.parametrize("name", peers.PEERS)
def test_every_filter_answers(name: str) -> None:
    # Without loss: to freezedetect a key frame's own errors are a movement.
    clip = cached_clip("peer.mkv", seconds=5, freeze=(1, 4), silence=(1, 4), codec="ffv1", audio="pcm_s16le")
    answer = peers.ask(name, clip)
    if "seconds" in answer:
        assert len(answer["seconds"]) >= 4
        assert max(answer["seconds"]) > -1e8
    if name in ("freezedetect", "silencedetect"):
        ((start_s, end_s),) = answer["spans"]
        assert (start_s, end_s) == (pytest.approx(1.0, abs=0.1), pytest.approx(4.0, abs=0.1))


# --- material and plan ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_synthesised_sound(kind: Any) -> None:
    sound = programme(kind, 4.0, seed=3)
    assert sound.shape == (2, 4 * RATE_HZ)
    assert np.abs(sound).max() == pytest.approx(0.5, abs=1e-3)
    np.testing.assert_array_equal(sound, programme(kind, 4.0, seed=3))
    levels = np.square(sound).mean(axis=0).reshape(-1, 480).mean(axis=1)
    # Something is always heard, and it moves.
    assert 10 * np.log10(levels.min()) > -75
    low, high = np.percentile(levels, [10, 90])
    assert high > 2 * low
    assert np.square(sound[0] - sound[1]).mean() > 1e-7


def test_clips_of_a_user(tmp_path: Path) -> None:
    make_clip(tmp_path / "one.mp4", seconds=0.2)
    (tmp_path / "deep").mkdir()
    shutil.copy(tmp_path / "one.mp4", tmp_path / "deep" / "one.mp4")
    (tmp_path / "notes.txt").write_text("no clip")
    assert [name for name, _ in material.listed(tmp_path)] == ["deep/one", f"{tmp_path.name}/one"]
    listed = tmp_path / "clips.txt"
    listed.write_text("one.mp4  # the first\n\n# nothing\n")
    assert material.listed(listed) == [("one", tmp_path / "one.mp4")]
    listed.write_text("two.mp4\n")
    with pytest.raises(ValueError, match=r"two\.mp4: is no file"):
        material.listed(listed)
    with pytest.raises(ValueError, match="neither a folder nor a list"):
        material.listed(tmp_path / "none")


def test_copies_that_faults_are_planted_in(tmp_path: Path) -> None:
    clip = cached_clip("ten.mp4", seconds=9, size=(720, 404), layout="mono", sample_rate=44_100)
    made = material.base("ten", clip, tmp_path, is_synthesised=False)
    assert isinstance(made, material.Base)
    assert (made.height, made.channels) == (360, "mono")
    assert made.seconds == pytest.approx(9.0)
    assert made.sound is not None
    assert made.long is not None
    again = material.base("ten", clip, tmp_path, is_synthesised=False)
    assert again == made
    sound, layout, rate_hz = material._samples(Path(made.long))
    assert (layout, rate_hz) == ("mono", 44_100)
    assert sound.shape[1] >= material.LONG_S * 44_100
    # At the programme's target, and without a step where it begins anew.
    assert 20 * np.log10(np.sqrt(np.square(sound).mean())) == pytest.approx(-23, abs=3)
    short = material.base("short", cached_clip("two.mp4", seconds=2), tmp_path, is_synthesised=False)
    assert short == "only 2.0 s long"
    assert "cannot be opened" in str(material.base("none", Path(__file__), tmp_path, is_synthesised=False))


def test_rows_of_a_clip() -> None:
    kinds = {kind for detector in known_detectors().values() for kind in detector.kinds}
    rows = plan.rows([a_base()], kinds, (), quick=False)
    planted = [one for one in rows if one.fault]
    assert {FAULTS[one.fault].kind for one in planted} <= kinds
    assert {(one.fault, one.case) for one in planted} == {
        (name, case) for name, fault in FAULTS.items() if fault.kind in kinds for case in range(len(fault.cases))
    }
    for one in planted:
        chosen = one.planting()
        assert chosen.start_s >= 3.9
        assert chosen.end_s <= one.seconds - 1
        assert (one.path == "a.mp4") != FAULTS[one.fault].kind.startswith("audio.")
    quick = plan.rows([a_base()], kinds, (), quick=True)
    assert len([one for one in quick if one.fault]) == len({one.fault for one in planted})
    silent = plan.rows([a_base(sound=None, long=None, channels=None)], kinds, (), quick=False)
    assert not any(FAULTS[one.fault].kind.startswith("audio.") for one in silent if one.fault)
    mono = {one.fault for one in plan.rows([a_base(channels="mono")], kinds, (), quick=False)}
    assert "hum" in mono
    assert "channel_loss" not in mono
    assert {one.fault for one in plan.rows([a_base()], kinds, ("hum",), quick=True)} == {"", "hum"}
    last = [one for one in plan.rows([a_base()], kinds, ("blur", "freeze"), quick=False, last=2) if one.fault]
    assert [(one.fault, one.case) for one in last] == [("freeze", 0), ("blur", 2), ("blur", 3)]
    # What takes minutes is planted in every second clip, and only what has rows is swept.
    both = plan.rows([a_base(), a_base(name="b")], kinds, ("hum", "loudness"), quick=True)
    assert {(one.clip, one.fault) for one in both if one.fault} == {("a", "hum"), ("a", "loudness"), ("b", "hum")}
    swept = sweep.of_rows([("hum", "above_db", 6.0), ("stalled", "stalled_s", 10.0)], both)
    assert swept == [("hum", "above_db", 6.0)]


# --- the whole --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    make_clip(folder / "one.mp4", seconds=9, size=(320, 180))
    return folder


@pytest.mark.timeout(300)
def test_a_small_run(clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output, work = tmp_path / "found.json", tmp_path / "work"
    words = ["--clips", str(clips), "--faults", "black,silence,discontinuity", "--jobs", "1", "--quick"]
    assert benchmark.main([*words, "--work", str(work), "--output", str(output)]) == 0

    document = result.read(DetectionResult, json.loads(output.read_text(encoding="utf-8")))
    assert [clip.name for clip in document.clips] == ["one"]
    assert [case.fault for case in document.cases] == ["black", "silence", "discontinuity"]
    for case in document.cases:
        assert (case.clips, case.ours.found, case.ours.exact) == (1, 1, 1), case
        assert case.ours.told_s is not None
        if peers.available() and case.fault != "discontinuity":
            assert case.theirs is not None
            assert case.theirs.found == 1
    delay_s = document.cases[0].ours.told_s
    assert delay_s is not None
    assert 2.0 < delay_s.median < 4.0
    assert document.quiet.alarms == ()
    assert "black" in capsys.readouterr().out

    # What was measured is not measured again: without the clips that were built it still knows.
    for built in (work / "rows").glob("*.mp4"):
        built.write_bytes(b"")
    again = tmp_path / "again.json"
    assert benchmark.main([*words, "--work", str(work), "--output", str(again)]) == 0
    assert result.read(DetectionResult, json.loads(again.read_text(encoding="utf-8"))).cases == document.cases
    assert benchmark.main(["--faults", "blak"]) == 2
    assert "did you mean black" in capsys.readouterr().err


@pytest.mark.timeout(300)
def test_a_small_sweep(clips: Path, tmp_path: Path) -> None:
    output = tmp_path / "sweep.json"
    words = ["--clips", str(clips), "--faults", "black", "--jobs", "1", "--work", str(tmp_path / "work")]
    assert benchmark.main([*words, "--sweep", "black.raise_area=0.5/0.98/1.0", "--output", str(output)]) == 0
    assert benchmark.main([*words, "--sweep", "black.luma=0.001/0.1", "--output", str(output)]) == 0

    document = result.read(SweepResult, json.loads(output.read_text(encoding="utf-8")))
    # The second sweep joins the first one.
    assert {(one.detector, one.limit, one.default) for one in document.sweeps} == {
        ("black", "raise_area", 0.98),
        ("black", "luma", 0.1),
    }
    luma = next(one for one in document.sweeps if one.limit == "luma")
    # The black of 7 % of full scale is only found where so much is allowed.
    assert [(point.value, point.clips) for point in luma.points] == [(0.001, 4), (0.1, 4)]
    assert luma.points[0].found < luma.points[1].found == 4
    assert luma.points[1].by_fault == {"black": 4}
    assert luma.clean_hours == pytest.approx(9 / 3600, abs=1e-5)


def test_a_row_that_fails_does_not_end_a_sweep(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    point = ("black", "luma", 0.1)

    def counted(one: plan.Row, folder: Path, points: Any) -> dict[str, Any]:
        if one.clip == "broken":
            raise SourceError("broken.mp4: cannot be opened")
        if one.clip == "short":
            return {"row": dataclasses.asdict(one), "error": "the clip ends at 2.00 s"}
        return {"row": dataclasses.asdict(one), "truth": truth("video.black"), "told": {point: []}}

    monkeypatch.setattr(sweep, "counted", counted)
    rows = [plan.Row(clip, f"{clip}.mp4", "black", 0, 4.0, 1, 12.0) for clip in ("broken", "short", "whole")]
    pool: Any = ThreadPoolExecutor(1)
    with pool:
        (found,) = sweep.run([point], rows, pool, Path("work"), lambda *_: None)
    assert [(one.value, one.clips, one.found) for one in found.points] == [(0.1, 1, 0)]
    told = capsys.readouterr().err
    assert "broken, black: SourceError: broken.mp4: cannot be opened" in told
    assert "short, black: the clip ends at 2.00 s" in told


def test_sweeps_that_are_asked_for() -> None:
    points = sweep.wishes("silence.raise_dbfs")
    assert {value for _, _, value in points} >= {-60.0, -66.0, -54.0, -48.0}
    assert {limit for _, limit, _ in sweep.wishes("black")} >= {"luma", "raise_area"}
    assert {name for name, _, _ in sweep.wishes("all")} >= {"freeze", "silence", "black"}
    for wrong, named in (
        ("blak", "did you mean black"),
        ("black.lume", "did you mean luma"),
        ("silence.clear_margin_db=-3", "refuses"),
    ):
        with pytest.raises(ValueError, match=named):
            sweep.wishes(wrong)


def test_series_for_sweeps_are_those_of_an_analysis() -> None:
    clip = cached_clip("sweep.mp4", seconds=6, black=(1, 4), silence=(2, 5))
    points = [("black", "luma", 0.1), ("silence", "raise_dbfs", -60.0)]
    found = sweep.told(clip, points)
    spans = {event["kind"]: (event["start_s"], event["end_s"]) for point in points for event in found[point]}
    wanted = {event["kind"]: (event["start_s"], event["end_s"]) for event in measure.events(clip)}
    assert spans == {kind: wanted[kind] for kind in ("video.black", "audio.silence")}


# --- the page ---------------------------------------------------------------------------------------------------------


def test_charts_are_svg() -> None:
    line = Line("gpu-qa", ((0.1, 0.0), (1.0, 0.5), (10.0, 1.0)))
    text = sheet([Chart("hum & hiss", "dBFS", (line,), mark=1.0)] * 5)
    root = ET.fromstring(text)  # noqa: S314 - our own
    name = "{http://www.w3.org/2000/svg}"
    lines = root.findall(f".//{name}polyline")
    assert len(lines) == 5
    places = [tuple(map(float, pair.split(","))) for pair in lines[0].attrib["points"].split()]
    # By the logarithm: as far from 0.1 to 1 as from 1 to 10; and upwards.
    assert places[1][0] - places[0][0] == pytest.approx(places[2][0] - places[1][0], abs=0.2)
    assert places[0][1] > places[1][1] > places[2][1]


def test_charts_have_steps_from_weak_to_strong() -> None:
    line = Line("found", ((0, 0.0), (1, 0.5), (2, 1.0)))
    text = sheet([Chart("loop", "length, s", (line,), steps=("2", "1", "0.4"))])
    root = ET.fromstring(text)  # noqa: S314 - our own
    name = "{http://www.w3.org/2000/svg}"
    (drawn,) = root.findall(f".//{name}polyline")
    across = [float(pair.split(",")[0]) for pair in drawn.attrib["points"].split()]
    assert across[1] - across[0] == pytest.approx(across[2] - across[1])
    labels = [one.text for one in root.iter(f"{name}text")]
    assert [label for label in labels if label in ("2", "1", "0.4")] == ["2", "1", "0.4"]


def test_a_page_of_part_of_the_results() -> None:
    """One clip, faults of one strength or two, nothing asked of FFmpeg, no sweeps."""
    rows = [
        {"row": row("a", fault, case=case), "truth": truth(FAULTS[fault].kind), "peer": {}, "events": events}
        for fault, case, events in (
            ("freeze", 0, [told(4.0, 8.0, 6.1)]),
            ("blur", 0, []),
            ("blur", 1, [told(4.1, 8.1, 5.0, kind="video.blur")]),
        )
    ]
    document = benchmark._document(rows, (), {"b": "no picture"}, 0.5, 60.0)
    document = dataclasses.replace(
        document, clips=(benchmark._clip_row(a_base()),), software=result.software(), machine=result.machine(0.5)
    )
    text = page.filled(page.PAGE.read_text(encoding="utf-8"), document, None)
    assert "| [freeze](detectors/freeze.md) | freeze | 1 | all 1 | all 1 | 1 | 2.1 |  | 0 |" in text
    assert "| [blur](detectors/blur.md) | blur | 2 | 1 of 2 (50 %) | all 1 | 1 | 1.0 |  | 0 |" in text
    assert "Not measured." in text
    assert page.charts(document).count("<polyline") == 2


def test_the_page_is_made_from_the_committed_results() -> None:
    document, sweeps, real = page.load()
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.filled(text, document, sweeps, real) == text
    assert page.CHARTS.read_text(encoding="utf-8") == page.charts(document)
    assert page.CHARTS.stat().st_size < 200_000
    if sweeps is not None and sweeps.sweeps:
        assert page.SWEEPS.read_text(encoding="utf-8") == page.sweep_charts(sweeps)
    for case in document.cases:
        assert 0 <= case.ours.exact <= case.ours.found <= case.clips
        assert case.ours.found + len(case.ours.missed) == case.clips
