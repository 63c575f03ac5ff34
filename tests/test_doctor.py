"""Doctor: what it finds, what it makes of what is missing, and that it never fails itself."""

# ruff: noqa: N802 - the driver's names

from __future__ import annotations

import ctypes
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from gpu_qa import cli, doctor
from gpu_qa.analysis import Analysis
from gpu_qa.decode import driver
from gpu_qa.diagnosis import Diagnosis, Finding, render
from gpu_qa.doctor import diagnose
from gpu_qa.errors import DeviceError
from gpu_qa.series import Report

if TYPE_CHECKING:
    from pathlib import Path


def found(diagnosis: Diagnosis, name: str) -> Finding:
    [finding] = [finding for finding in diagnosis.findings if finding.name == name]
    return finding


def text(diagnosis: Diagnosis) -> str:
    console = Console(file=io.StringIO(), width=200)
    with console.capture() as capture:
        console.print(render(diagnosis))
    return capture.get()


def without_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this machine has, its driver is not found."""
    whole = ctypes.CDLL

    def load(name: str | None, *arguments: Any, **keywords: Any) -> ctypes.CDLL:
        if name is not None and name.startswith(("libcuda", "libnv")):
            raise OSError(f"{name}: cannot open shared object file")
        return whole(name, *arguments, **keywords)

    monkeypatch.setattr(ctypes, "CDLL", load)


def test_this_machine_can_analyze() -> None:
    diagnosis = diagnose()
    assert diagnosis.exit_code == 0
    assert [finding.outcome for finding in diagnosis.findings if finding.area == "cpu"] == ["ok"] * 3
    assert found(diagnosis, "protocols").outcome == "ok"
    assert "Ready: inputs are analyzed on the " in text(diagnosis)


def test_json_says_the_same(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    without_card(monkeypatch)
    with pytest.raises(SystemExit) as ending:
        cli.main(["doctor", "--format", "json"])
    assert ending.value.code == 0
    content = json.loads(capsys.readouterr().out)
    assert (content["cpu"], content["gpu"]) == (True, False)
    by_name = {finding["name"]: finding for finding in content["findings"]}
    assert by_name["decoding"]["data"]["decoders_missing"] == []
    assert by_name["machine"]["data"]["cpu_cores"] >= 1
    assert by_name["card"]["outcome"] == "missing"


def test_everything_missing_has_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    without_card(monkeypatch)
    monkeypatch.setenv("PATH", "/nowhere")
    diagnosis = diagnose()
    for finding in diagnosis.findings:
        assert finding.outcome == "ok" or finding.remedy, finding
    assert "srt-tools" in found(diagnosis, "SRT").remedy
    assert "NVIDIA_DRIVER_CAPABILITIES" in found(diagnosis, "NVDEC").remedy
    shown = text(diagnosis)
    assert "– SRT" in shown
    assert "→ install srt-live-transmit" in shown
    assert diagnosis.exit_code == 0


def test_the_trial_notices_an_analysis_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    without_card(monkeypatch)

    def report(analysis: Analysis) -> Report:
        return Report("x", {}, (), {"frames_decoded": 24}, (), {}, {})

    monkeypatch.setattr(Analysis, "report", report)
    diagnosis = diagnose()
    assert diagnosis.exit_code == 1
    assert found(diagnosis, "trial").detail == "analyzing a clip failed: only 24 of 25 pictures came out"
    assert "Not ready" in text(diagnosis)


def test_the_trial_on_the_card_does_not_fall_back_to_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(track: object, settings: object) -> object:
        raise DeviceError("no engine is free")

    monkeypatch.setattr("gpu_qa.decode.nvdec.open_nvdec", refuse)
    finding = doctor._trial("cuda")
    assert (finding.area, finding.outcome) == ("gpu", "broken")
    assert "no engine is free" in finding.detail


def test_a_look_that_fails_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Finding:
        raise ZeroDivisionError("oh\nno")

    monkeypatch.setattr(doctor, "_LOOKS", (("cpu", "decoding", fail), ("machine", "machine", doctor._machine)))
    diagnosis = diagnose()
    assert found(diagnosis, "decoding").detail == "could not be looked at: ZeroDivisionError: oh no"
    assert found(diagnosis, "machine").outcome == "ok"
    assert diagnosis.exit_code == 1


def test_missing_decoders_and_protocols_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "DECODERS", ("h264", "betamax"))
    monkeypatch.setattr(doctor, "PROTOCOLS", ("file", "pigeon"))
    monkeypatch.setattr(doctor, "DEMUXERS", ("mpegts", "dash_muxer_only"))
    assert "no decoder for betamax" in doctor._pyav().detail
    assert doctor._protocols().detail == "FFmpeg was built without pigeon, dash_muxer_only"
    assert doctor._pyav().outcome == doctor._protocols().outcome == "missing"


def test_where_machine_code_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "deep" / "cache"))
    assert doctor._cache_folder() == tmp_path / "deep" / "cache"
    assert not (tmp_path / "deep").exists()
    monkeypatch.setattr(doctor, "_writable", lambda folder: False)
    finding = doctor._numba()
    assert "every start compiles anew" in finding.detail
    assert "NUMBA_CACHE_DIR" in finding.remedy
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(doctor, "_writable", lambda folder: tmp_path in folder.parents)
    assert doctor._cache_folder() == tmp_path / "numba"


def test_a_folder_that_refuses_files_is_not_writable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert doctor._writable(tmp_path / "to" / "be" / "made")

    def refuse(**keywords: object) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    assert not doctor._writable(tmp_path)


def test_what_nvdec_decodes_is_named_with_its_depths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    monkeypatch.setattr(driver, "load_driver", lambda gpu: object())

    def support(module: object, gpu: int, codec: str, header: Any) -> None:
        assert (header.width, header.height, header.chroma) == (1920, 1080, 1)
        if codec not in ("h264", "hevc") or (codec == "h264" and header.bit_depth == 10):
            raise DeviceError("no")

    monkeypatch.setattr(driver, "check_support", support)
    finding = doctor._nvdec()
    assert finding.outcome == "ok"
    assert finding.detail == "decodes h264 (8 bits), hevc (8 and 10 bits)"
    assert finding.data == {"decodes": {"h264": [8], "hevc": [8, 10]}}


def test_nvdec_that_cannot_be_used_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(gpu: int) -> object:
        raise DeviceError("PyNvVideoCodec cannot be loaded: too old")

    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    monkeypatch.setattr(driver, "load_driver", refuse)
    finding = doctor._nvdec()
    assert (finding.outcome, finding.detail) == ("broken", "PyNvVideoCodec cannot be loaded: too old")


class Driver:
    """The driver's library, with these answers."""

    def __init__(self, cards: int, init: int = 0) -> None:
        self.cards, self.init = cards, init

    def cuInit(self, flags: int) -> int:
        return self.init

    def cuDeviceGetCount(self, count: Any) -> int:
        count._obj.value = self.cards
        return 0

    def cuDeviceGetName(self, name: Any, length: int, index: int) -> int:
        name.value = b"NVIDIA L4"
        return 0

    def cuDeviceTotalMem_v2(self, memory: Any, index: int) -> int:
        memory._obj.value = 23 * 2**30
        return 0

    def cuDriverGetVersion(self, version: Any) -> int:
        version._obj.value = 12090
        return 0

    def nvmlInit_v2(self) -> int:
        return 0

    def nvmlSystemGetDriverVersion(self, version: Any, length: int) -> int:
        version.value = b"575.57.08"
        return 0


def test_cards_are_named_with_memory_and_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Driver(2))
    finding = doctor._gpu()
    assert finding.outcome == "ok"
    assert finding.detail == "NVIDIA L4 (23.0 GiB), NVIDIA L4 (23.0 GiB); driver 575.57.08, CUDA up to 12.9"


@pytest.mark.parametrize("fake", [Driver(0), Driver(0, init=100), Driver(1, init=999)])
def test_no_card_is_told_in_the_words_of_the_decoder(monkeypatch: pytest.MonkeyPatch, fake: Driver) -> None:
    def refuse(gpu: int) -> object:
        raise DeviceError(f"card {gpu} is on holiday")

    monkeypatch.setattr(ctypes, "CDLL", lambda name: fake)
    monkeypatch.setattr(driver, "load_driver", refuse)
    finding = doctor._gpu()
    assert (finding.outcome, finding.detail) == ("missing", "card 0 is on holiday")
    assert "--gpus all" in finding.remedy


def test_kernels_are_compiled_where_asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    prepared: list[tuple[object, ...]] = []
    monkeypatch.setattr("gpu_qa.features.prepare", lambda *bits, sync: prepared.append((*bits, sync)))
    monkeypatch.setattr(doctor, "_LOOKS", ())
    monkeypatch.setattr(doctor, "_trial", lambda device: Finding("gpu", "trial", "ok", device))
    for arguments, kernels in (([], []), (["--compile"], ["kernels"])):
        with pytest.raises(SystemExit) as ending:
            cli.main(["doctor", "--format", "json", *arguments])
        assert ending.value.code == 0
        findings = json.loads(capsys.readouterr().out)["findings"]
        assert [finding["name"] for finding in findings if finding["area"] == "cpu"] == kernels
    assert prepared == [(8, 10, True)]
    assert findings[0]["data"]["ready_after_s"] >= 0


def test_compiling_really_measures() -> None:
    finding = doctor._kernels()
    assert finding.outcome == "ok"
    assert "8 and 10 bits" in finding.detail
