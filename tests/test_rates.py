"""The table of what NVDEC decodes, and what is made of it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from gpu_qa.decode.rates import card_named, cards, decode_load, streams_per_card
from gpu_qa.media import Track

HD = Track(0, "video", "h264", Fraction(1, 90_000), width=1920, height=1080, frame_rate=Fraction(30))


def load(name: str, **changes: object) -> float:
    card = card_named(name)
    assert card is not None
    return decode_load(replace(HD, **changes), card)  # type: ignore[arg-type]


def test_cards_are_found_by_the_drivers_names() -> None:
    names = {
        "Tesla T4": "T4",
        "NVIDIA A10G": "A10G",
        "NVIDIA A10": "A10",
        "NVIDIA L4": "L4",
        "NVIDIA L40S": "L40S",
        "NVIDIA A100-SXM4-40GB": "A100",
        "NVIDIA H100 80GB HBM3": "H100",
        "NVIDIA H200": "H200",
        "NVIDIA RTX PRO 6000 Blackwell Server Edition": "RTX PRO 6000",
    }
    assert {name: getattr(card_named(name), "name", None) for name in names} == names
    assert sorted(names.values()) == sorted(card.name for card in cards())
    for unknown in ("NVIDIA L40", "NVIDIA A1000", "NVIDIA H20", "Quadro T400", ""):
        assert card_named(unknown) is None


def test_load_of_streams() -> None:
    # One 1080p30 stream of H.264 on 7 engines of 771 pictures per second.
    assert load("H200") == pytest.approx(30 / (7 * 771))
    assert load("L4", codec="hevc") == pytest.approx(30 / (4 * 1641))
    assert load("L4", codec="hevc", pixel_format="yuv420p10le") == pytest.approx(30 / (4 * 1520))
    assert load("T4", frame_rate=Fraction(60_000, 1001)) == pytest.approx(60_000 / 1001 / (2 * 771))
    # By macroblocks: 240 × 135 beside 120 × 68.
    assert load("L4", width=3840, height=2160) == pytest.approx(30 * 240 * 135 / (120 * 68) / (4 * 903))
    assert load("L4", width=1280, height=720) == pytest.approx(30 * 80 * 45 / (120 * 68) / (4 * 903))


def test_load_of_streams_that_do_not_say() -> None:
    assert load("L4", frame_rate=None, width=None, height=None, pixel_format=None) == load("L4")
    # No rate is published here for these: counted as H.264.
    assert load("L4", codec="av1") == load("L4", codec="vp9", pixel_format="yuv420p") == load("L4")
    assert load("L4", codec="hevc", pixel_format="p010le") > load("L4", codec="hevc", pixel_format="nv12")


def test_how_many_streams_a_card_decodes() -> None:
    found = {card.name: streams_per_card(card, share=0.7) for card in cards()}
    assert (found["L4"], found["H200"], found["T4"]) == (84, 125, 35)
    (l4,) = (card for card in cards() if card.name == "L4")
    assert streams_per_card(l4, "hevc", share=0.7) == 153
    assert streams_per_card(l4, frame_rate=25.0) == 144


def test_a_stream_may_be_too_much_for_one_engine() -> None:
    large = load("H200", width=7680, height=4320, frame_rate=Fraction(60))
    assert 1 / 7 < large < 1
