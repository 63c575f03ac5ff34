"""`gpu-qa compare`: copies of a programme laid over the original."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gpu_qa import comparison
from gpu_qa.agreement import exit_code, problems
from gpu_qa.comparing import _delay, _skew
from gpu_qa.config import Settings, override
from gpu_qa.errors import SourceError
from gpu_qa.sources import open_source
from tests.clips import make_clip

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 14.0
LATER_S = 7.0
"""Later than a live copy may come earlier than its reference."""
SIZE = (192, 108)


def picture_of(seed: int, later_s: float, rate: float) -> Any:
    """A texture that wanders at random and changes its light: the same at the same time at any rate."""
    rng = np.random.default_rng(seed)
    texture = np.kron(rng.integers(40, 200, (32, 48)), np.ones((8, 8), np.int64))
    walk = np.cumsum(rng.normal(0, 3.0, (40 * 25, 2)), 0)
    light = np.convolve(rng.normal(0, 25, 40 * 25), np.ones(5) / 5, "same")

    def picture(index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        at = max(index / rate - later_s, 0.0) * 25 + 1e-6
        row, column = walk[int(at)] * 0.5
        shown = np.roll(texture, (int(row), int(column)), (0, 1))[: SIZE[1], : SIZE[0]] + light[int(at)]
        grey = np.full((SIZE[1], SIZE[0]), 128, np.uint8)
        return np.clip(shown, 16, 235).astype(np.uint8), grey, grey

    return picture


def sound_of(seed: int, later_s: float) -> Any:
    """Noise whose level changes at random ten times a second."""
    rng = np.random.default_rng(seed + 100)
    levels = 10 ** rng.uniform(-2.5, -0.7, 400)
    noise = rng.normal(0, 0.3, 48_000 * 20)

    def sound(t_s: np.ndarray) -> np.ndarray:
        at_s = t_s - later_s
        heard = noise[np.round(at_s * 48_000).astype(np.int64) % len(noise)] * np.interp(
            at_s, np.arange(400) / 10, levels
        )
        return np.tile(np.where(at_s >= 0, heard, 0.0), (2, 1)).astype(np.float32)

    return sound


def clip(
    path: Path, *, seed: int = 1, picture_s: float = 0.0, sound_s: float = 0.0, rate: int = 25, **others: Any
) -> Path:
    return make_clip(
        path,
        seconds=SECONDS + max(picture_s, sound_s),
        size=SIZE,
        rate=rate,
        picture=picture_of(seed, picture_s, rate),
        sound=sound_of(seed, sound_s),
        **others,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("compare")
    clip(made / "reference.mp4")
    clip(made / "late.mp4", picture_s=2.0, sound_s=1.85, codec_options={"crf": "36"})
    clip(made / "fifty.mp4", picture_s=0.48, sound_s=0.98, rate=50)
    clip(made / "other.mp4", seed=7)
    clip(made / "silent.mp4", audio=None)
    return made


def compared(folder: Path, *arguments: str, reference: str = "reference.mp4") -> tuple[int, list[dict[str, Any]], str]:
    command = [sys.executable, "-m", "gpu_qa", "compare", reference, *arguments, "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=folder)
    documents, rest, decoder = list[dict[str, Any]](), done.stdout.strip(), json.JSONDecoder()
    while "--format" in arguments and rest:
        document, end = decoder.raw_decode(rest)
        documents.append(document)
        rest = rest[end:].strip()
    return done.returncode, documents, done.stdout + done.stderr


@pytest.mark.timeout(300)
def test_copies_are_placed_and_other_content_is_called_other(folder: Path) -> None:
    code, documents, text = compared(folder, "reference.mp4", "late.mp4", "fifty.mp4", "other.mp4", "--format", "json")

    assert code == 1, text
    same, late, fifty, other = documents
    assert same["verdict"] == "matches"
    assert same["skew_s"] == pytest.approx(0.0, abs=0.001)
    assert (same["frames_lost"], same["frames_repeated"]) == (0, 0)
    assert late["picture"]["delay_s"] == pytest.approx(2.0, abs=0.005)
    assert late["sound"]["delay_s"] == pytest.approx(1.85, abs=0.005)
    assert late["skew_s"] == pytest.approx(0.15, abs=0.005)
    assert late["verdict"] == "differs"
    assert "150 ms early, 45 allowed (unacceptable)" in " ".join(late["problems"])
    assert fifty["skew_s"] == pytest.approx(-0.5, abs=0.015)
    assert other["skew_s"] is None
    assert other["problems"] == ["content differs: neither picture nor sound is the reference's"]


@pytest.mark.timeout(300)
def test_limits_can_be_chosen(folder: Path) -> None:
    wide = ("--max-advanced", "200")
    code, (document,), text = compared(folder, "late.mp4", *wide, "--format", "json")
    assert (code, document["verdict"]) == (0, "matches"), text
    code, (document,), text = compared(
        folder, "late.mp4", "--max-advanced", "200", "--max-delay", "1", "--format", "json"
    )
    assert code != 0, text
    assert document["skew_s"] is None


@pytest.mark.timeout(300)
def test_pictures_that_are_missing_are_counted(folder: Path) -> None:
    """Of 17 that were left out, with their time, most; of copies that lost none, none (the tests above)."""
    shown = picture_of(1, 0.0, 25)
    make_clip(
        folder / "gaps.mp4",
        seconds=SECONDS,
        size=SIZE,
        picture=lambda index: shown(index + (index + 10) // 19),
        pts_s=lambda index: (index + (index + 10) // 19) / 25,
        sound=sound_of(1, 0.0),
    )
    code, (document,), text = compared(folder, "gaps.mp4", "--format", "json")
    assert code == 1, text
    assert 8 <= document["frames_lost"] <= 18
    assert document["frames_repeated"] == 0
    assert document["skew_s"] == pytest.approx(0.0, abs=0.002)
    assert "pictures are missing" in " ".join(document["problems"])


@pytest.mark.timeout(300)
def test_a_part_is_told_to_be_one_and_judged_where_that_is_wanted(folder: Path) -> None:
    make_clip(folder / "part.mp4", seconds=7.0, size=SIZE, picture=picture_of(1, -3.0, 25), sound=sound_of(1, -3.0))
    code, documents, text = compared(folder, "part.mp4", "reference.mp4", "--format", "json")
    assert code == 0, text
    part, whole = documents
    assert (part["short_start_s"], part["short_end_s"]) == (pytest.approx(3.0, abs=0.01), pytest.approx(4.0, abs=0.1))
    assert (whole["short_start_s"], whole["short_end_s"]) == (pytest.approx(0, abs=0.01), pytest.approx(0, abs=0.05))
    code, _, text = compared(folder, "part.mp4")
    assert code == 0
    assert "same content; begins 3.0 s after" in " ".join(text.split())
    code, (document,), text = compared(folder, "part.mp4", "--max-short", "3.5", "--format", "json")
    assert code == 1, text
    assert document["problems"] == ["ends 4.0 s before the reference does"]
    code, (document,), text = compared(folder, "reference.mp4", "--duration", "8", "--format", "json")
    assert document["short_end_s"] is None, text


@pytest.mark.timeout(300)
def test_each_stretch_is_a_line_at_once(folder: Path) -> None:
    code, documents, text = compared(folder, "late.mp4", "--format", "jsonl")
    assert code == 1, text
    assert [document["type"] for document in documents][-1] == "result"
    stretches = [document for document in documents if document["type"] == "stretch"]
    assert stretches
    assert all(document["probe"] == "late.mp4" for document in stretches)
    assert any(document["skew_s"] == pytest.approx(0.15, abs=0.01) for document in stretches)


@pytest.mark.timeout(300)
def test_what_cannot_be_compared_says_why(folder: Path) -> None:
    code, (document,), text = compared(folder, "silent.mp4", "--format", "json")
    assert code == 2, text
    assert document["skew_s"] is None
    assert "sound" in str(document["skew_reason"])
    code, _, text = compared(folder, "missing.mp4")
    assert code == 2
    assert "missing.mp4" in text
    code, _, text = compared(folder, "late.mp4", "--max-delayed", "-1")
    assert code == 2
    assert "--max-delayed" in text


@pytest.mark.timeout(300)
def test_a_table_is_for_people(folder: Path) -> None:
    code, _, text = compared(folder, "late.mp4")
    assert code == 1
    assert "+150" in text
    assert "late.mp4" in text


def test_nothing_is_no_less_than_nothing() -> None:
    assert (_delay(-0.0001), _delay(-0.0006), _delay(None)) == ("0.000 s", "-0.001 s", "—")
    assert (_skew(-0.00001), _skew(0.15), _skew(None)) == ("+0.0 ms", "+150.0 ms", "—")


def test_stopping_does_not_wait_for_an_input_that_does_not_open(monkeypatch: pytest.MonkeyPatch) -> None:
    opens = threading.Event()

    def late(*_: Any) -> Any:
        opens.wait(20)
        raise SourceError("too late")

    monkeypatch.setattr(comparison, "open_source", late)
    running = comparison.Comparison("reference.ts", ["probe.ts"])
    running.stop()
    began_s = time.monotonic()
    assert list(running) == []
    assert time.monotonic() - began_s < 10
    (result,) = running.results()
    assert result.summary is None
    assert result.error == "stopped before anything was known"
    assert exit_code(result) == 2
    opens.set()


def test_readers_do_not_load_the_library_of_codecs_all_at_once() -> None:
    """Threads that load av at the same time may be taken for a deadlock, and fail."""
    program = """
import sys
from gpu_qa import comparison
from gpu_qa.errors import SourceError
loaded = []
def opening(*_):
    loaded.append("av.audio.format" in sys.modules)
    raise SourceError("no")
comparison.open_source = opening
list(comparison.Comparison("a", ["b", "c"]))
print(bool(loaded) and all(loaded))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


@pytest.mark.timeout(180)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_reference_stalls_tells_what_was_compared_and_that_it_was_stopped(
    folder: Path, number: signal.Signals
) -> None:
    stream = clip(folder / "reference.ts").read_bytes()
    command = [sys.executable, "-m", "gpu_qa", "compare", "-", "reference.mp4", "--max-delay", "2", "--format", "jsonl"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            process.stdin.write(stream)
            process.stdin.flush()
            first = json.loads(process.stdout.readline())  # the reference has not ended: its pipe is open
            process.send_signal(number)
            code = process.wait(20)
        finally:
            process.kill()
        *_, last = (json.loads(line) for line in process.stdout.read().splitlines())
        remarks = process.stderr.read().decode()
    assert first["skew_s"] == pytest.approx(0.0, abs=0.002)
    assert (code, last["type"], last["verdict"]) == (0, "result", "matches")
    assert remarks == "gpu-qa: stopped; the results cover what was read until then\n"


@pytest.mark.timeout(120)
def test_a_live_copy_that_is_joined_later_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    joined = clip(folder / "joined.mp4", picture_s=-LATER_S, sound_s=-LATER_S)

    def opened(path: str, settings: Any) -> Any:
        if path == str(joined):
            time.sleep(LATER_S)
        return open_source(path, settings)

    monkeypatch.setattr(comparison, "open_source", opened)
    live = override(Settings(), {"source": {"real_time": True}, "decode": {"device": "cpu"}})
    running = comparison.Comparison(str(folder / "reference.mp4"), [str(joined)], live)
    for _ in running:
        pass
    (result,) = running.results()
    assert problems(result) == []
    assert result.summary is not None
    assert result.summary.picture.delay_s == pytest.approx(-LATER_S, abs=0.002)
    assert result.summary.skew_s == pytest.approx(0.0, abs=0.002)
