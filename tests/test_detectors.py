"""The list of detectors: complete, documented, tested, and open to other packages' detectors."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gpu_qa import detectors
from gpu_qa.detectors import DETECTORS, all_detectors
from gpu_qa.detectors.loudness import LoudnessLimits
from gpu_qa.detectors.true_peak import TruePeakLimits
from gpu_qa.errors import ConfigError
from gpu_qa.events import TrackerState, track
from gpu_qa.series import AudioSeries, Detector, Evidence, SyncSeries
from tests.series_builder import audio_series, fact, spectrum_series, stream_series, video_series
from tests.sounds import audio_of, noise, spectra_of, tone, voice

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "own_detector"
NAMES = [detector.name for detector in DETECTORS]


def test_public_names() -> None:
    assert detectors.__all__ == ["DETECTORS", "ENTRY_POINT_GROUP", "all_detectors"]


def test_every_file_of_a_detector_is_listed() -> None:
    folder = ROOT / "gpu_qa" / "detectors"
    defining = {
        path.stem for path in folder.glob("*.py") if re.search(r"^[A-Z_]+ = Detector\(", path.read_text(), re.MULTILINE)
    }
    assert defining == set(NAMES)
    assert len(NAMES) == len(set(NAMES))


@pytest.mark.parametrize("name", NAMES)
def test_every_detector_has_a_page_and_a_test(name: str) -> None:
    page = (ROOT / "docs" / "detectors" / f"{name}.md").read_text()
    assert (ROOT / "tests" / f"test_{name}.py").exists()
    (detector,) = (one for one in DETECTORS if one.name == name)
    for kind in detector.kinds:
        assert kind in page
    for item in dataclasses.fields(detector.limits):
        assert f"`{item.name}`" in page, f"{item.name} is not on its page"


@pytest.mark.parametrize("detector", DETECTORS, ids=NAMES)
def test_limits_are_frozen_and_documented(detector: Detector) -> None:
    limits = type(detector.limits)
    assert limits.__dataclass_params__.frozen
    (tree,) = ast.parse(inspect.getsource(limits)).body
    assert isinstance(tree, ast.ClassDef)
    for one, after in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(one, ast.AnnAssign):
            assert isinstance(after, ast.Expr), ast.unparse(one)
            assert isinstance(after.value, ast.Constant), ast.unparse(one)
    assert detector.summary.endswith(".")
    assert detector.source


@pytest.mark.parametrize("detector", DETECTORS, ids=NAMES)
def test_evidence_is_well_formed(detector: Detector) -> None:
    """Every step has a time, a verdict, a value and all details, and the message can be written from them."""
    series: dict[str, list[Any]] = {
        "video": [video_series(200, luma=0.5, luma_std=0.0, chroma=(0, 0), change=0.0), video_series(9, start_s=8.0)],
        "audio": [audio_series(5.0, rms_dbfs=-np.inf), _broken_sound(5.0)],
        "spectrum": [
            spectrum_series(8.0, lines_dbfs={50.0: -30.0, 100.0: -36.0, 150.0: -40.0}),
            spectra_of(voice(8.0) + noise(8.0, level_dbfs=-45.0), start_s=20.0),
        ],
        "sync": [
            SyncSeries(
                way="content",
                track=1,
                start_s=np.array([0.0, 4.0]),
                end_s=np.array([4.0, 8.0]),
                offset_s=np.array([0.2, np.nan]),
                sigma_s=np.array([0.01, np.nan]),
                confidence=np.array([0.95, 0.0], np.float32),
            )
        ],
        "stream": [
            stream_series(
                60.0,
                *(fact(kind, 5.0 + index, 16.0 + index) for index, kind in enumerate(_FACT_KINDS)),
                fact("frames", 14.0, 24.0, reference="studio", lost_s=(15.0, 17.0), repeated_s=(15.0,)),
                audio_until_s={1: 30.0},
                finished=True,
            )
        ],
    }
    steps, carry, state = 0, None, TrackerState("s")
    limits = _JUDGING.get(detector.name, detector.limits)
    for part in series[detector.consumes]:
        evidence, carry = detector.weigh(part, limits, carry)
        for found in evidence:
            _check(found, detector)
            steps += len(found)
            plain = {**{item.name: getattr(found, item.name) for item in dataclasses.fields(found)}}
            plain["verdict"] = np.ones(len(found), np.int8)
            state, events = track(state, Evidence(**plain), dataclasses.replace(detector.timing, raise_after_s=0.0))
            assert not any("limit" in event.message and " for " in event.message for event in events), events
    assert steps


def _broken_sound(start_s: float) -> AudioSeries:
    """A tone with holes, a click and a stretch that stays at one value."""
    sound = tone(6.0, 220.0)
    for at in (48_000, 60_000, 72_000):
        sound[:, at : at + 1_900] = 0.0
    sound[:, 120_000] = 0.99
    sound[:, 168_000:216_000] = 0.3
    return audio_of(sound, start_s=start_s)


_JUDGING: dict[str, Any] = {
    "loudness": LoudnessLimits(target_lufs=-23.0, window_s=1.0, max_short_term_lufs=-18.0),
    "true_peak": TruePeakLimits(max_dbtp=-1.0),
}
"""Limits of detectors that judge nothing by default."""

_FACT_KINDS = (
    "gap",
    "discontinuity",
    "shift",
    "decode_error",
    "transport_error",
    "format_change",
    "stalled",
    "overload",
    "reference",
)


def _check(evidence: Evidence, detector: Detector) -> None:
    assert evidence.kind in detector.kinds
    assert evidence.unit
    assert {*evidence.latest, *evidence.gathered} <= evidence.details.keys()
    limits = np.broadcast_to(evidence.limit, len(evidence))
    assert np.isfinite(limits).all() or isinstance(evidence.limit, np.ndarray)
    assert evidence.message
    assert np.isin(evidence.verdict, (-1, 0, 1)).all()
    assert (evidence.end_s >= evidence.start_s).all()
    arrays = [evidence.end_s, evidence.verdict, evidence.value, *evidence.details.values()]
    arrays += [values for values in (evidence.confidence, evidence.severity_cap) if values is not None]
    assert {len(values) for values in arrays} == {len(evidence)}
    assert evidence.value.dtype == np.float32
    assert evidence.verdict.dtype == np.int8
    assert evidence.start_s.dtype == evidence.end_s.dtype == np.float64


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Makes a package known to importlib.metadata, as pip would: its entry points and its module's code."""

    def installed(entry_points: str, code: str) -> None:
        info = tmp_path / "their_package-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[gpu_qa.detectors]\n{entry_points}\n")
        (tmp_path / "their_module.py").write_text(code)
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, "their_module", raising=False)

    return installed


def test_example_is_found_and_works(install: Callable[[str, str], None]) -> None:
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())
    (target,) = project["project"]["entry-points"]["gpu_qa.detectors"].values()
    module, _, name = target.partition(":")
    install(f"dim = their_module:{name}", (EXAMPLE / f"{module}.py").read_text())
    (detector,) = (one for one in all_detectors() if one.name == "dim")
    (evidence,), _ = detector.weigh(video_series(250, luma=0.12), detector.limits, None)
    _, (event,) = track(TrackerState("s"), evidence, detector.timing)
    assert (event.kind, event.start_s, event.message) == (
        "video.dim",
        0.0,
        "picture too dark for 5.0 s: 12% of full scale",
    )


def test_own_detectors_come_first(install: Callable[[str, str], None]) -> None:
    install("dim = their_module:DIM", (EXAMPLE / "own_detector.py").read_text())
    assert [detector.name for detector in all_detectors()] == [*NAMES, "dim"]


_MAKE = """
import dataclasses
from gpu_qa.detectors.black import BLACK
@dataclasses.dataclass(frozen=True)
class Limits:
    {field}: float = 1.0
OURS = dataclasses.replace(BLACK, name="{name}", limits={limits})
"""


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("import nowhere_to_be_found", "cannot be loaded: ModuleNotFoundError"),
        ("1 / 0", "cannot be loaded: ZeroDivisionError"),
        ("", "cannot be loaded: AttributeError"),
        ("OURS = 3", "is a int, not a"),
        (_MAKE.format(field="luma", name="ours", limits="Limits"), "no instance of a dataclass"),
        (_MAKE.format(field="luma", name="ours", limits="{'luma': 1}"), "no instance of a dataclass"),
        (
            _MAKE.format(field="enabled", name="ours", limits="Limits()"),
            "named like a setting of every detector: enabled",
        ),
        (_MAKE.format(field="raise_after_s", name="ours", limits="Limits()"), "every detector: raise_after_s"),
        (_MAKE.format(field="luma", name="black", limits="Limits()"), "takes the name 'black', which is in use"),
    ],
)
def test_bad_detector_of_another_package_is_named(
    install: Callable[[str, str], None], code: str, complaint: str
) -> None:
    install("ours = their_module:OURS", code)
    with pytest.raises(ConfigError, match=re.escape(complaint)) as caught:
        all_detectors()
    assert "'ours' of package their-package (their_module:OURS)" in str(caught.value)
