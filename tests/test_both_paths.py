"""The same file by both ways: decoded and measured in host memory, or by NVDEC and the kernels of a card.

Without a card its decoder is the stand-in and its kernels are their definitions, which `test_cuda_kernels.py` holds the
real ones to, bit for bit. What then lies between the packets and the events is all the program's own.
"""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import gpu_qa
from gpu_qa.decode import DecodeSettings, open_decoder
from gpu_qa.features import HostPictures, StreamFeatures
from gpu_qa.series import VideoSeries
from gpu_qa.sources import SourceSettings, open_source
from gpu_qa.sync.together import CardScores
from tests.clips import make_clip
from tests.programme import Form, Programme
from tests.programme_file import laid_out, written

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

pytest.importorskip("torch")
pytest.importorskip("numba_cuda", reason="needs numba-cuda")

from gpu_qa.features.device import DevicePictures
from tests.fake_nvdec import Driver, HostCard
from tests.test_device import Definition, profiles

SMALL = (Form(104, 64, Fraction(15), 8, "limited"), Form(90, 50, Fraction(15), 10, "full", irregular=True))
"""Small and slow, because the definitions are slow: NV12 and P010."""


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> HostCard:
    """Host memory in the place of a card's, and what runs there."""
    made = HostCard()
    driver = Driver()
    monkeypatch.setattr("gpu_qa.decode.nvdec.load_driver", lambda gpu: driver)
    monkeypatch.setattr("gpu_qa.decode.nvdec.CudaCard", lambda gpu: made)
    monkeypatch.setattr("gpu_qa.reader.is_on_device", lambda frame: not isinstance(frame.luma.data, np.ndarray))
    monkeypatch.setattr("gpu_qa_kernels.luma_stats.cuda.luma_stats_device", Definition())
    monkeypatch.setattr("gpu_qa_kernels.seam_profile.cuda.seam_profile_device", profiles)
    return made


def faulty(form: Form, names: Sequence[str], folder: Path) -> Path:
    """A clip with faults one after the other."""
    faults, length_s = laid_out(names)
    return written(Programme(form, faults, length_s), folder / f"{form}.mkv")


def settings(device: Any) -> gpu_qa.Settings:
    return gpu_qa.Settings(decode=DecodeSettings(device=device, slab_mib=32))


def series_of(path: Path, device: Any) -> list[VideoSeries]:
    """All series of a clip's picture."""
    found: list[VideoSeries] = []
    with open_source(path, SourceSettings()) as source:
        features = StreamFeatures(source.facts.tracks)
        decoder: Any = None
        host, on_card = HostPictures(), DevicePictures()
        for packet in source.packets():
            decoder = decoder or open_decoder(packet.track, settings(device).decode)
            decoded = decoder.drain() if packet.native is None else decoder.decode(packet)
            if device == "cpu":
                pictures = [host.measure(frame) for frame in decoded.frames]
            else:
                pictures = on_card.measure([("a", frame) for frame in decoded.frames])
            found += features.take(pictures, decoded.sound, (*packet.notes, *decoded.notes)).video
        found += features.flush(ended=True).video
        decoder.close()
    return found


def unlike(one: VideoSeries, other: VideoSeries) -> list[str]:
    """The fields in which two series differ in a single bit."""
    return [
        item.name
        for item in dataclasses.fields(VideoSeries)
        if not _alike(getattr(one, item.name), getattr(other, item.name))
    ]


def _alike(one: Any, other: Any) -> bool:
    if not isinstance(one, np.ndarray):
        return bool(one == other)
    return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())


@pytest.mark.parametrize("form", SMALL, ids=str)
def test_every_measure_is_the_same_to_the_bit(form: Form, card: HostCard, tmp_path: Path) -> None:
    path = faulty(form, ("blocks", "combed", "grey"), tmp_path)
    host, device = series_of(path, "cpu"), series_of(path, "cuda")
    assert len(host) == len(device) > 5
    for one, other in zip(host, device, strict=True):
        assert unlike(one, other) == []
    # Each measure has something to say here; what is constant by nature, or in this clip, is named.
    joined = {
        item.name: np.concatenate([np.ravel(getattr(one, item.name)) for one in host])
        for item in dataclasses.fields(VideoSeries)
        if isinstance(getattr(host[0], item.name), np.ndarray)
    }
    flat = {name for name, values in joined.items() if not np.ptp(values[np.isfinite(values)].astype(np.float64))}
    assert flat <= {"is_corrupt", "damaged", "grid"}
    assert 0 < np.isfinite(joined["grid"]).sum() < joined["grid"].size


@pytest.mark.parametrize("form", SMALL, ids=str)
def test_every_event_is_the_same(form: Form, card: HostCard, tmp_path: Path) -> None:
    names = ("black", "stutter", "loop", "blur", "flash", "bars")
    path = faulty(form, names if form.bit_depth == 8 else ("green", "freeze", "loop", "grey", "letterbox"), tmp_path)

    def told(device: Any) -> list[gpu_qa.Event]:
        report = gpu_qa.analyze(path, settings(device))
        assert report.error is None
        assert report.measurements["decoders"][0].startswith("nvdec" if device == "cuda" else "pyav")
        return list(report.events)

    expected = told("cpu")
    assert len({event.kind for event in expected}) >= 4
    assert told("cuda") == expected


def test_sound_and_picture_are_compared_where_the_picture_lies(
    card: HostCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def warble(t_s: np.ndarray) -> np.ndarray:
        loud = 0.3 * np.sin(2 * np.pi * 3 * t_s) ** 2
        one = loud * np.sin(2 * np.pi * 500 * t_s)
        return np.stack([one, one]).astype(np.float32)

    path = make_clip(tmp_path / "warble.mkv", seconds=3.6, size=(96, 54), rate=Fraction(15), sound=warble)
    asked = list[int]()
    ask = CardScores.ask

    def counted(self: CardScores, codes: np.ndarray, *rest: Any) -> Any:
        asked.append(len(codes))
        return ask(self, codes, *rest)

    monkeypatch.setattr(CardScores, "ask", counted)
    reports = {}
    for device in ("cpu", "cuda"):
        reports[device] = gpu_qa.analyze(path, settings(device))
        assert bool(asked) == (device == "cuda")
    one, other = (reports[device].lags for device in ("cpu", "cuda"))
    assert one is not None
    assert other is not None
    np.testing.assert_allclose(one.evidence, other.evidence, atol=1e-3)
