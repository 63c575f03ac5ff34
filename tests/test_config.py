"""Settings: defaults, selection, and what a TOML file may say."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import tomllib
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gpu_qa import config
from gpu_qa.config import (
    PROFILES,
    DetectorSettings,
    Settings,
    default_detectors,
    known_detectors,
    load_settings,
    override,
    settings_json,
)
from gpu_qa.decode import DecodeSettings
from gpu_qa.detectors import all_detectors
from gpu_qa.errors import ConfigError
from gpu_qa.series import Detector, EventTiming, Evidence
from gpu_qa.sources import SourceSettings

ROOT = Path(__file__).parents[1]


def file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "live.toml"
    path.write_text(text, encoding="utf-8")
    return path


def without_nulls(value: Any) -> Any:
    """JSON values as TOML can hold them: it has no null."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return value


def test_defaults_are_each_stages_own() -> None:
    settings = Settings()
    assert settings.source == SourceSettings()
    assert settings.decode == DecodeSettings()
    assert list(settings.detectors) == [detector.name for detector in all_detectors()]
    for name, chosen in settings.detectors.items():
        assert chosen == DetectorSettings(known_detectors()[name].limits, known_detectors()[name].timing)


def test_settings_name_only_detectors_that_exist() -> None:
    with pytest.raises(ConfigError, match=r"unknown detector 'freez' .did you mean freeze.*; known: freeze, black"):
        Settings(detectors={"freez": default_detectors()["freeze"]})


def test_select_by_name_and_by_kind_keeps_the_usual_order() -> None:
    chosen = Settings().select(["audio.silence", "freeze", "silence"])
    assert list(chosen.detectors) == ["freeze", "silence"]


def test_select_keeps_changed_limits_and_brings_back_what_was_left_out() -> None:
    changed = override(Settings(), {"detectors": {"freeze": {"noise_floor": 0.003}, "black": {"enabled": False}}})
    assert "black" not in changed.detectors
    chosen = changed.select(["black", "freeze"])
    assert chosen.detectors["freeze"].limits.noise_floor == 0.003
    assert chosen.detectors["black"] == default_detectors()["black"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["slience"], "unknown detector or event kind 'slience' .did you mean silence"),
        (["video.frezee"], "did you mean video.freeze"),
        (["qqqq"], "unknown detector or event kind 'qqqq'; known: freeze"),
        ([], "no detector is chosen; known: freeze"),
    ],
)
def test_select_refuses_unknown_names(names: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Settings().select(names)


def test_a_file_says_what_differs(tmp_path: Path) -> None:
    path = file(
        tmp_path,
        """
        [source]
        open_timeout_s = 3            # a whole number is a number
        audio_tracks = [1, 2]

        [decode]
        device = "cpu"

        [detectors.freeze]
        noise_floor = 0.002
        raise_after_s = 1.0

        [detectors.black]
        enabled = false
        """,
    )
    settings = load_settings(path)
    assert settings.source == SourceSettings(open_timeout_s=3.0, audio_tracks=(1, 2))
    assert settings.decode == DecodeSettings(device="cpu")
    freeze = settings.detectors["freeze"]
    assert freeze.limits == dataclasses.replace(known_detectors()["freeze"].limits, noise_floor=0.002)
    assert freeze.timing == dataclasses.replace(known_detectors()["freeze"].timing, raise_after_s=1.0)
    assert [name for name in known_detectors() if name not in settings.detectors] == ["black"]


def test_what_a_file_does_not_say_stays_as_it_was(tmp_path: Path) -> None:
    base = Settings(source=SourceSettings(read_timeout_s=99.0)).select(["silence", "freeze"])
    settings = load_settings(file(tmp_path, "[detectors.silence]\nraise_dbfs = -70"), base)
    assert settings.source.read_timeout_s == 99.0
    assert list(settings.detectors) == ["freeze", "silence"]
    assert settings.detectors["silence"].limits.raise_dbfs == -70.0
    assert settings.detectors["freeze"] == base.detectors["freeze"]


def test_a_detector_named_in_a_file_runs_though_the_base_leaves_it_out(tmp_path: Path) -> None:
    settings = load_settings(file(tmp_path, "[detectors.black]\n"), Settings().select(["freeze"]))
    assert list(settings.detectors) == ["freeze", "black"]


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_every_profile_fits_the_detectors(tmp_path: Path, name: str) -> None:
    settings = load_settings(file(tmp_path, f'profile = "{name}"'))
    for detector, values in PROFILES[name].items():
        for key, value in values.items():
            assert getattr(settings.detectors[detector].limits, key) == value


@pytest.mark.parametrize(
    ("profile", "advance_ms", "delay_ms"),
    [("default", 45.0, 125.0), ("atsc", 45.0, 125.0), ("ebu", 40.0, 60.0), ("contribution", 15.0, 45.0)],
)
def test_profiles_differ_in_how_far_sound_may_leave_the_picture(
    tmp_path: Path, profile: str, advance_ms: float, delay_ms: float
) -> None:
    limits = load_settings(file(tmp_path, f'profile = "{profile}"')).detectors["av_offset"].limits
    assert (limits.advance_ms, limits.delay_ms) == (advance_ms, delay_ms)


def test_a_profile_given_beside_a_file_replaces_the_files_and_no_table(tmp_path: Path) -> None:
    path = file(tmp_path, 'profile = "aws"\n[detectors.av_offset]\ndelay_ms = 70.0\n')
    chosen = load_settings(path, profile="ebu").detectors
    limits = chosen["av_offset"].limits
    assert (limits.advance_ms, limits.delay_ms, chosen["silence"].limits.raise_dbfs) == (40.0, 70.0, -60.0)


def test_profile_aws_takes_medialives_silence_and_tables_go_beyond_it(tmp_path: Path) -> None:
    assert load_settings(file(tmp_path, 'profile = "aws"')).detectors["silence"].limits.raise_dbfs == -50.0
    beyond = file(tmp_path, 'profile = "aws"\n[detectors.silence]\nraise_dbfs = -45.0\n')
    assert load_settings(beyond).detectors["silence"].limits.raise_dbfs == -45.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("detector = 1", ["unknown key 'detector'", "did you mean detectors?"]),
        ("[decoder]\ndevice = 'cpu'", ["unknown key 'decoder'", "did you mean decode?"]),
        ("decode = 3", ["decode = 3", "must be a table"]),
        ("profile = 'was'", ['profile = "was"', "did you mean aws?"]),
        ("profile = 7", ["profile = 7", "known: default, aws"]),
        ("[decode]\ndevice = 'gpu'", ['[decode] device = "gpu"', "'auto', 'cuda' or 'cpu'"]),
        ("[decode]\nthreds = 4", ["[decode] unknown key 'threds'", "did you mean threads?"]),
        ("[decode]\nthreads = 2.5", ["[decode] threads = 2.5", "must be a valid integer"]),
        ("[decode]\nthreads = true", ["[decode] threads = true", "must be a valid integer"]),
        ("[decode]\nthreads = -1", ["[decode] threads = -1", "0 to 64"]),
        ("[source]\nopen_timeout_s = '5'", ['[source] open_timeout_s = "5"', "must be a valid number"]),
        ("[source]\nopen_timeout_s = 0", ["[source] open_timeout_s = 0", "positive"]),
        ("[source]\nopen_timeout_s = inf", ["[source] open_timeout_s = inf", "finite number"]),
        ("[source]\nopen_timeout_s = nan", ["[source] open_timeout_s = nan", "finite number"]),
        ("[source]\nopen_timeout_s = 2026-11-23", ["[source] open_timeout_s = 2026-11-23", "must be made of"]),
        ("[source]\nopen_timeout_s = {a = 1}", ["[source] open_timeout_s = a table", "must be a valid number"]),
        ("[source]\nvideo_track = 'one'", ['[source] video_track = "one"', "must be a valid integer"]),
        ("[detectors.frezee]", ["[detectors] unknown detector 'frezee'", "did you mean freeze?"]),
        ("[detectors]\nfreeze = 0.5", ["detectors.freeze = 0.5", "must be a table"]),
        ("[detectors.freeze]\nnoise_flor = 1", ["[detectors.freeze] unknown key 'noise_flor'", "mean noise_floor?"]),
        ("[detectors.freeze]\nraise_after = 1", ["[detectors.freeze] unknown key 'raise_after'", "raise_after_s"]),
        ("[detectors.freeze]\nnoise_floor = 'low'", ['[detectors.freeze] noise_floor = "low"', "valid number"]),
        ("[detectors.freeze]\nenabled = 1", ["[detectors.freeze] enabled = 1", "must be true or false"]),
        (
            "[detectors.freeze]\nraise_after_s = 30",
            ["[detectors.freeze] raise_after_s = 30", "raise_after_s ≤ major_after_s"],
        ),
        ("[decode\n", ["is not TOML", "line 1"]),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_place(tmp_path: Path, text: str, words: list[str]) -> None:
    path = file(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    for expected in words:
        assert expected in message


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.toml: cannot be read: No such file"):
        load_settings(tmp_path / "missing.toml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_settings(tmp_path)
    path = tmp_path / "latin.toml"
    path.write_bytes(b"profile = '\xe9'")
    with pytest.raises(ConfigError, match=r"is not UTF-8 text: .* at byte 11"):
        load_settings(path)


def test_long_values_are_cut_in_messages(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(file(tmp_path, f"[decode]\ndevice = '{'x' * 1000}'"))
    assert len(str(caught.value)) < 300


def test_every_setting_goes_to_json_and_back() -> None:
    content = settings_json(Settings())
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert override(Settings().select(["freeze"]), content) == Settings()


def test_a_number_without_a_word_in_json_becomes_text() -> None:
    @dataclass(frozen=True)
    class Limits:
        level_dbfs: float = float("-inf")
        names: tuple[str, ...] = ("a",)

    assert config.plain(Limits()) == {"level_dbfs": "-inf", "names": ["a"]}


def test_types_of_all_settings_can_be_checked() -> None:
    """A settings class whose types are imported for checkers only would fail when a file names its keys."""
    settings = Settings()
    parts = [settings.source, settings.decode, EventTiming(), *(one.limits for one in settings.detectors.values())]
    for part in parts:
        hints = typing.get_type_hints(type(part))
        assert set(hints) >= {item.name for item in dataclasses.fields(part)}


@dataclass(frozen=True, slots=True)
class LogoLimits:
    share: float = 0.1
    """Least share of the picture."""


def logo(series: Any, limits: LogoLimits, carry: Any) -> tuple[list[Evidence], Any]:
    return [], carry


@pytest.fixture
def with_foreign_detector(monkeypatch: pytest.MonkeyPatch) -> typing.Iterator[Detector]:
    detector = Detector(
        name="logo",
        kinds=("video.logo_lost", "video.logo_wrong"),
        consumes="video",
        weigh=logo,
        limits=LogoLimits(),
        timing=EventTiming(),
        summary="The logo is gone.",
        source="ours",
    )
    monkeypatch.setattr(config, "all_detectors", lambda: (*all_detectors(), detector))
    known_detectors.cache_clear()
    yield detector
    known_detectors.cache_clear()


def test_a_detector_of_another_package_is_configured_like_ours(tmp_path: Path, with_foreign_detector: Detector) -> None:
    settings = load_settings(file(tmp_path, "[detectors.logo]\nshare = 0.2\nraise_after_s = 0.0"))
    assert settings.detectors["logo"].limits == LogoLimits(share=0.2)
    assert settings.detectors["logo"].timing.raise_after_s == 0.0
    assert list(settings.select(["video.logo_wrong"]).detectors) == ["logo"]
    assert settings_json(settings)["detectors"]["logo"]["share"] == 0.2


def test_the_page_shows_every_setting_with_its_default() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    block = page.split("<!-- every setting -->", 1)[1].split("```toml\n", 1)[1].split("```", 1)[0]
    content = settings_json(Settings())
    assert tomllib.loads(block) == without_nulls(content)
    for table in ("source", "decode"):
        for key, value in content[table].items():
            assert value is not None or f"# {key} =" in block


def test_reading_settings_needs_nothing_heavy() -> None:
    program = (
        "import sys, gpu_qa.config as c; c.Settings(); "
        "print([m for m in ('av', 'numba', 'torch', 'pydantic', 'plotly', 'jinja2', 'rich') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert answer.stdout.strip() == "[]"
