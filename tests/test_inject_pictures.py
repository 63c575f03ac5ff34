"""Faults of the picture: each is there, where it was wanted, as strong as it was wanted, and nowhere else."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest

from gpu_qa.errors import ConfigError
from gpu_qa.inject import FAULTS, InjectSettings, held
from gpu_qa.inject.picture import form_of, resized
from gpu_qa.inject.writer import Coding
from tests.clips import cached_clip
from tests.inject_clips import FIRST, LAST, RATE, clean, content, planted, written

if TYPE_CHECKING:
    from pathlib import Path

PICTURE_FAULTS = [name for name, fault in FAULTS.items() if fault.stage == "pictures"]


def change(luma: np.ndarray) -> np.ndarray:
    """Mean absolute difference of each picture to the one before, codes."""
    return np.asarray(np.abs(np.diff(luma.astype(float), axis=0)).mean(axis=(1, 2)))


@pytest.mark.parametrize("name", [name for name in PICTURE_FAULTS if name not in ("freeze_partial", "stutter")])
def test_nothing_is_changed_outside(name: str, tmp_path: Path) -> None:
    got, truth = planted(tmp_path, name)
    own = clean()
    outside = np.r_[0:FIRST, LAST : len(own.luma)]
    np.testing.assert_array_equal(got.luma[outside], own.luma[outside])
    np.testing.assert_array_equal(got.chroma[outside], own.chroma[outside])
    np.testing.assert_array_equal(got.sound, own.sound)
    changed = (got.luma[FIRST:LAST] != own.luma[FIRST:LAST]).any(axis=(1, 2))
    changed |= (got.chroma[FIRST:LAST] != own.chroma[FIRST:LAST]).any(axis=(1, 2, 3))
    assert changed.sum() >= 4
    assert (truth.start_s, truth.end_s) == (1.0, 2.2)


@pytest.mark.parametrize("name", PICTURE_FAULTS)
@pytest.mark.parametrize("pixel_format", ["yuv420p10le", "yuv422p", "yuv444p10le"])
def test_every_fault_in_every_format(name: str, pixel_format: str, tmp_path: Path) -> None:
    clip = cached_clip("form.mkv", seconds=2, codec="ffv1", pixel_format=pixel_format, size=(96, 72), audio=None)
    truth = written(tmp_path / "a.mkv", name, 0.4 if name == "loop" else None, clip=clip)
    assert truth.pixel_format == pixel_format
    own, got = content(clip), content(tmp_path / "a.mkv")
    assert got.luma.dtype == own.luma.dtype
    inside = (own.pts_s >= 1.0) & (own.pts_s < 2.2)
    if name == "stutter":
        assert (change(got.luma[inside]) == 0).mean() >= 0.5
        return
    assert (got.luma[inside] != own.luma[inside]).any() or (got.chroma[inside] != own.chroma[inside]).any()


def test_freeze(tmp_path: Path) -> None:
    got, _ = planted(tmp_path, "freeze")
    still = change(got.luma)
    np.testing.assert_array_equal(still[FIRST : LAST - 1], 0.0)
    assert still[: FIRST - 1].min() > 1.0
    assert still[LAST - 1] > 1.0
    np.testing.assert_array_equal(got.luma[LAST - 1], clean().luma[FIRST])


@pytest.mark.parametrize("deviation", [0.7, 3.0])
def test_freeze_noisy(deviation: float, tmp_path: Path) -> None:
    got, _ = planted(tmp_path, "freeze_noisy", deviation)
    error = got.luma[FIRST:LAST].astype(float) - clean().luma[FIRST]
    # Rounding to whole codes adds a twelfth of a square code.
    assert error.std() == pytest.approx(np.sqrt(deviation**2 + 1 / 12), rel=0.03)
    assert abs(error.mean()) < 0.02
    assert change(got.luma)[FIRST : LAST - 1].min() > 0.5


def test_freeze_partial(tmp_path: Path) -> None:
    got, _ = planted(tmp_path, "freeze_partial", 0.25)
    top = 96
    moving = change(got.luma[:, top:])
    assert moving.min() > 1.0
    still = change(got.luma[:, :top])
    np.testing.assert_array_equal(still[FIRST : LAST - 1], 0.0)
    assert still[: FIRST - 1].min() > 1.0
    np.testing.assert_array_equal(got.luma[:FIRST, :top], clean().luma[:FIRST, :top])


def test_freeze_partial_under_a_ring_that_turns(tmp_path: Path) -> None:
    got, _ = planted(tmp_path, "freeze_partial", 0.25, overlay="spinner")
    own = clean()
    outside = np.r_[0:FIRST, LAST : len(own.luma)]
    np.testing.assert_array_equal(got.luma[outside], own.luma[outside])
    held = np.repeat(own.luma[FIRST][None], LAST - FIRST, axis=0)
    is_ring = (got.luma[FIRST:LAST] != held).any(axis=0)
    rows, columns = (np.flatnonzero(is_ring.any(axis=axis)) for axis in (1, 0))
    assert (rows[0], rows[-1], columns[0], columns[-1]) == pytest.approx((48, 79, 80, 111), abs=2)
    assert not is_ring[58:70, 90:102].any()
    assert change(got.luma[:, 48:80, 80:112])[FIRST : LAST - 1].min() > 1.0
    around = got.luma[[FIRST, FIRST + RATE]][:, is_ring].astype(int)
    np.testing.assert_allclose(around[0], around[1], atol=1)


def test_black(tmp_path: Path) -> None:
    got, _ = planted(tmp_path, "black")
    assert set(np.unique(got.luma[FIRST:LAST])) == {16}
    assert set(np.unique(got.chroma[FIRST:LAST])) == {128}
    grey, _ = planted(tmp_path, "black", 10.0)
    assert set(np.unique(grey.luma[FIRST:LAST])) == {38}
    logo, _ = planted(tmp_path, "black", logo=0.02)
    assert (logo.luma[FIRST:LAST] > 60).mean() == pytest.approx(0.02, abs=0.004)
    np.testing.assert_array_equal(logo.luma[FIRST], logo.luma[LAST - 1])


@pytest.mark.parametrize(
    ("color", "codes"), [("green", (84, 90, 78)), ("grey", (126, 128, 128)), ("white", (235, 128, 128))]
)
def test_solid_color(color: str, codes: tuple[int, int, int], tmp_path: Path) -> None:
    got, _ = planted(tmp_path, "solid_color", color=color)
    assert got.luma[FIRST:LAST].std() == 0
    shown = (got.luma[FIRST, 0, 0], *got.chroma[FIRST, :, 0, 0])
    np.testing.assert_allclose(np.array(shown, float), codes, atol=1)
    noisy, _ = planted(tmp_path, "solid_color", 2.0, color=color)
    assert noisy.luma[FIRST:LAST].mean() == pytest.approx(codes[0], abs=0.6)
    assert noisy.luma[FIRST:LAST].std() == pytest.approx(2.0, rel=0.1)


@pytest.mark.parametrize("size", [(64, 320), (320, 64)])
def test_a_large_logo_on_a_narrow_picture(size: tuple[int, int], tmp_path: Path) -> None:
    clip = cached_clip("narrow.mkv", seconds=1.5, codec="ffv1", audio=None, size=size)
    written(tmp_path / "a.mkv", "black", clip=clip, logo=0.2)
    luma = content(tmp_path / "a.mkv").luma[30]
    assert 0.1 < (luma > 16).mean() < 0.25


def test_test_pattern(tmp_path: Path) -> None:
    got, _ = planted(tmp_path, "test_pattern")
    row = got.luma[FIRST, 5].astype(float)
    # 75 % bars of ITU-R BT.601 in 8 bits.
    wanted = [235, 162, 131, 112, 84, 65, 35, 16]
    np.testing.assert_allclose(row[12::24], wanted, atol=1)
    assert (got.luma[FIRST:LAST] == got.luma[FIRST, 0]).all()
    np.testing.assert_allclose(got.chroma[FIRST, :, 3, 6 + 12], (44, 142), atol=1)
    full, _ = planted(tmp_path, "test_pattern", pattern="ebu100")
    assert full.luma[FIRST, 0, 24 + 12] == pytest.approx(210, abs=1)
    smpte, _ = planted(tmp_path, "test_pattern", pattern="smpte")
    assert smpte.luma[FIRST, 5, 10] == pytest.approx(180, abs=1)
    assert smpte.luma[FIRST, 120, 40] == 235


@pytest.mark.parametrize("lost", [0.6, 1.0])
def test_color_loss(lost: float, tmp_path: Path) -> None:
    got, _ = planted(tmp_path, "color_loss", lost)
    np.testing.assert_array_equal(got.luma, clean().luma)
    before = np.abs(clean().chroma[FIRST:LAST].astype(float) - 128).mean()
    after = np.abs(got.chroma[FIRST:LAST].astype(float) - 128).mean()
    assert after == pytest.approx(before * (1 - lost), abs=0.3)
    assert before > 5


@pytest.mark.parametrize(("share", "repeated"), [(0.5, 15), (0.2, 6), (0.1, 3)])
def test_stutter_repeats(share: float, repeated: int, tmp_path: Path) -> None:
    got, _ = planted(tmp_path, "stutter", share)
    still = np.flatnonzero(change(got.luma) == 0) + 1
    assert len(still) == repeated
    assert still.min() >= FIRST
    assert still.max() < LAST
    assert set(np.diff(still)) == {round(1 / share)}


def test_stutter_in_bursts(tmp_path: Path) -> None:
    got, _ = planted(tmp_path, "stutter", 1 / 3, how="bursts")
    held = change(got.luma)[FIRST - 1 : LAST - 1] == 0
    # Of every twelve pictures the last four show what was shown before; beyond the stretch all moves.
    np.testing.assert_array_equal(np.flatnonzero(held), [8, 9, 10, 11, 20, 21, 22, 23])
    assert np.count_nonzero(change(got.luma) == 0) == 8


@pytest.mark.parametrize(("signal", "lost"), [("Cb", 0), ("Cr", 1)])
def test_one_colour_signal_is_lost(signal: str, lost: int, tmp_path: Path) -> None:
    got, _ = planted(tmp_path, "color_loss", signal=signal)
    np.testing.assert_array_equal(got.chroma[FIRST:LAST, lost], 128)
    np.testing.assert_array_equal(got.chroma[:, 1 - lost], clean().chroma[:, 1 - lost])
    np.testing.assert_array_equal(got.luma, clean().luma)


def test_stutter_drops(tmp_path: Path) -> None:
    got, _ = planted(tmp_path, "stutter", 0.5, how="drop")
    assert len(got.luma) == 75 - 15
    steps = np.diff(got.pts_s)
    np.testing.assert_allclose(np.sort(steps)[-15:], 0.08, atol=0.001)
    np.testing.assert_allclose(np.sort(steps)[:-15], 0.04, atol=0.001)
    assert change(got.luma).min() > 1.0


def test_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    got, _ = planted(tmp_path, "loop", 0.4)
    own = clean().luma
    for index in range(FIRST, LAST):
        np.testing.assert_array_equal(got.luma[index], own[FIRST + (index - FIRST) % 10])
    monkeypatch.setattr(held, "_LOOP_BYTES", 9 * 192 * 128 * 3)
    with pytest.raises(ConfigError, match="do not fit into 1 GiB"):
        written(tmp_path / "b.mkv", "loop", 0.4)


@pytest.mark.parametrize("share", [0.05, 0.3])
def test_block_corruption(share: float, tmp_path: Path) -> None:
    got, _ = planted(tmp_path, "block_corruption", share)
    differs = got.luma[FIRST:LAST] != clean().luma[FIRST:LAST]
    blocks = differs.reshape(LAST - FIRST, 8, 16, 12, 16).any(axis=(2, 4))
    # Some blocks are drawn twice.
    assert blocks.mean() == pytest.approx(share * (1 - share / 2), abs=0.02)
    # The same blocks for three pictures, then others.
    assert (blocks[0] == blocks[2]).all()
    assert (blocks[0] != blocks[3]).any()


@pytest.mark.parametrize(("look", "luma"), [("grey", 126), ("green", 84)])
def test_blocks_of_one_color(look: str, luma: int, tmp_path: Path) -> None:
    got, _ = planted(tmp_path, "block_corruption", 0.1, look=look)
    blocks = got.luma[FIRST].reshape(8, 16, 12, 16).astype(float)
    flat = (blocks.std(axis=(1, 3)) == 0) & (np.abs(blocks.mean(axis=(1, 3)) - luma) <= 1)
    # A tenth of 96 blocks, some of them drawn twice.
    assert 7 <= flat.sum() <= 10


@pytest.mark.parametrize(("look", "code"), [("green_chroma", 27), ("pink_chroma", 184), ("grey_chroma", 128)])
def test_blocks_whose_chroma_alone_is_wrong(look: str, code: int, tmp_path: Path) -> None:
    got, _ = planted(tmp_path, "block_corruption", 0.2, look=look)
    np.testing.assert_array_equal(got.luma, clean().luma)
    wrong = (got.chroma[FIRST] == code).all(axis=0)
    # A fifth of the blocks, some of them drawn twice.
    assert 0.12 <= wrong.mean() <= 0.2
    np.testing.assert_array_equal(got.chroma[FIRST - 1], clean().chroma[FIRST - 1])


def test_smeared_blocks(tmp_path: Path) -> None:
    got, _ = planted(tmp_path, "block_corruption", 0.05, look="smeared")
    down = np.abs(np.diff(got.luma[FIRST].astype(float), axis=0))
    blocks = np.add.reduceat(np.add.reduceat(down, np.arange(0, 127, 16), axis=0), np.arange(0, 192, 16), axis=1)
    own = np.abs(np.diff(clean().luma[FIRST].astype(float), axis=0))
    sums = np.add.reduceat(np.add.reduceat(own, np.arange(0, 127, 16), axis=0), np.arange(0, 192, 16), axis=1)
    assert 4 <= (blocks < sums * 0.2).sum() <= 20


def on_grid(luma: np.ndarray, period: int) -> float:
    """How much larger steps across a grid's lines are than beside them."""
    steps = np.abs(np.diff(luma.astype(float), axis=2)).mean(axis=(0, 1))
    lines = np.arange(len(steps)) % period == period - 1
    return float(steps[lines].mean() / steps[~lines].mean())


def test_blockiness(tmp_path: Path) -> None:
    own = on_grid(clean().luma[FIRST:LAST], 8)
    found = [on_grid(planted(tmp_path, "blockiness", scale)[0].luma[FIRST:LAST], 8) for scale in (10.0, 40.0, 100.0)]
    assert own < found[0] < found[1] < found[2]
    assert found[2] > 2 * own
    large, _ = planted(tmp_path, "blockiness", 100.0, enlarge=2.0)
    assert on_grid(large.luma[FIRST:LAST], 16) > 1.3 * on_grid(clean().luma[FIRST:LAST], 16)


def test_blur(tmp_path: Path) -> None:
    def sharpness(luma: np.ndarray) -> float:
        return float(np.abs(np.diff(luma.astype(float), axis=2)).mean())

    levels = [sharpness(planted(tmp_path, "blur", radius)[0].luma[FIRST:LAST]) for radius in (0.4, 0.8, 1.6, 3.2)]
    assert sharpness(clean().luma[FIRST:LAST]) > levels[0] > levels[1] > levels[2] > levels[3]
    got, _ = planted(tmp_path, "blur", 3.2)
    np.testing.assert_allclose(
        got.luma[FIRST:LAST].mean(axis=(1, 2)), clean().luma[FIRST:LAST].mean(axis=(1, 2)), atol=1.0
    )


@pytest.mark.parametrize("per_s", [2.5, 5.0])
def test_flash(per_s: float, tmp_path: Path) -> None:
    got, _ = planted(tmp_path, "flash", per_s)
    bright = got.luma[FIRST:LAST].mean(axis=(1, 2))
    assert set(np.unique(got.luma[FIRST:LAST])) == {16, 235}
    # 1.2 s hold 2 · 1.2 · rate half periods, with a change between two of them.
    changes = np.abs(np.diff(bright)) > 100
    assert changes.sum() == round(2 * 1.2 * per_s) - 1


def test_flash_of_an_area_and_of_red(tmp_path: Path) -> None:
    got, _ = planted(tmp_path, "flash", 5.0, area=0.25, contrast=0.5)
    lit = (got.luma[FIRST:LAST] == round(16 + 219 * 0.5)).mean(axis=(1, 2))
    assert lit.max() == pytest.approx(0.25, abs=0.01)
    np.testing.assert_array_equal(got.luma[FIRST, :20], clean().luma[FIRST, :20])
    red, _ = planted(tmp_path, "flash", 5.0, color="red")
    shown = red.luma[FIRST:LAST].mean(axis=(1, 2))
    at = int(np.argmax(shown))
    assert shown[at] == pytest.approx(81, abs=1)
    np.testing.assert_allclose(red.chroma[FIRST + at].mean(axis=(1, 2)), (90, 240), atol=1)


@pytest.mark.parametrize(("name", "earlier"), [("combing", 0), ("field_order", 1)])
def test_fields(name: str, earlier: int, tmp_path: Path) -> None:
    got, _ = planted(tmp_path, name)
    own = clean().luma
    for index in (FIRST, FIRST + 7, LAST - 1):
        np.testing.assert_array_equal(got.luma[index, earlier::2], own[index - 1, earlier::2])
        np.testing.assert_array_equal(got.luma[index, 1 - earlier :: 2], own[index, 1 - earlier :: 2])
    if name == "combing":
        further, _ = planted(tmp_path, name, 3.0)
        np.testing.assert_array_equal(further.luma[FIRST + 5, ::2], own[FIRST + 2, ::2])


@pytest.mark.parametrize("codec", ["h264", "mpeg2video"])
def test_field_order_is_coded_as_interlaced(codec: Any, tmp_path: Path) -> None:
    settings = InjectSettings(coding=Coding(video_codec=codec))
    written(tmp_path / "a.ts", "field_order", settings=settings)
    written(tmp_path / "b.ts", "combing", settings=settings)
    with av.open(str(tmp_path / "a.ts")) as container:
        assert all(frame.interlaced_frame for frame in container.decode(video=0))
    with av.open(str(tmp_path / "b.ts")) as container:
        assert not any(frame.interlaced_frame for frame in container.decode(video=0))


def test_letterbox(tmp_path: Path) -> None:
    got, _ = planted(tmp_path, "letterbox", 0.25)
    rows = (got.luma[FIRST:LAST] == 16).all(axis=(0, 2))
    np.testing.assert_array_equal(np.flatnonzero(rows), np.r_[0:16, 112:128])
    np.testing.assert_array_equal(got.luma[FIRST:LAST, 16:112], clean().luma[FIRST:LAST, 16:112])
    sides, _ = planted(tmp_path, "letterbox", 0.25, where="sides")
    columns = (sides.luma[FIRST:LAST] == 16).all(axis=(0, 1))
    np.testing.assert_array_equal(np.flatnonzero(columns), np.r_[0:24, 168:192])


def test_codes_of_colors() -> None:
    frame = av.VideoFrame(64, 48, "yuv420p")
    form = form_of(frame, "yuv420p")
    assert form.color(1, 0, 0) == (81, 90, 240)
    assert form.color(1, 1, 1) == (235, 128, 128)
    frame.colorspace = 1
    # ITU-R BT.709, red at 8 bits.
    assert form_of(frame, "yuv420p").color(1, 0, 0) == (63, 102, 240)
    frame.color_range = 2
    assert form_of(frame, "yuv420p").color(0, 0, 1)[1] == 255


def test_resized_is_linear() -> None:
    ramp = np.tile(np.arange(32.0), (8, 1))
    np.testing.assert_allclose(resized(ramp, 16, 64)[3, 4:-4], np.arange(64)[4:-4] / 2 - 0.25, atol=1e-5)
    np.testing.assert_allclose(resized(ramp, 4, 16)[1], np.arange(16) * 2 + 0.5, atol=1e-5)


def test_other_frame_rates(tmp_path: Path) -> None:
    clip = cached_clip("ntsc.mkv", seconds=3, rate=Fraction(60_000, 1001), codec="ffv1", audio=None)
    truth = written(tmp_path / "a.mkv", "flash", 6.0, clip=clip)
    got = content(tmp_path / "a.mkv")
    inside = (got.pts_s >= truth.faults[0].start_s - 1e-3) & (got.pts_s < truth.faults[0].end_s - 1e-3)
    changes = np.abs(np.diff(got.luma[inside].mean(axis=(1, 2)))) > 100
    assert changes.sum() == pytest.approx(2 * 1.2 * 6 - 1, abs=1)
