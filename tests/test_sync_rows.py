from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_qa.sync.rows import RowCarry, add_rows, forget_rows, rows_between
from gpu_qa_kernels.speech_bands import BANDS
from tests.series_builder import audio_series, cut

if TYPE_CHECKING:
    from gpu_qa.series import AudioSeries


def spoken(seconds: float, *, start_s: float = 0.0) -> AudioSeries:
    series = audio_series(seconds, start_s=start_s)
    speech = np.repeat((series.end_s - 0.0125)[:, None], BANDS, axis=1).astype(np.float32)
    return dataclasses.replace(series, speech=speech)


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(1, 99), max_size=6, unique=True), start_s=st.floats(-1, 5))
def test_rows_stand_on_the_clock_however_the_sound_is_cut(cuts: list[int], start_s: float) -> None:
    """The bands are the time itself: row j must hold j / 100 s."""
    series, carry = spoken(1.0, start_s=start_s), RowCarry()
    for piece in cut(series, cuts):
        carry = add_rows(piece, carry)
    assert carry.rows is not None
    assert 98 <= len(carry.rows) <= 101
    np.testing.assert_allclose(carry.rows[:, 0], (carry.first + np.arange(len(carry.rows))) / 100, atol=1e-4)


def test_a_gap_holds_nothing_and_a_long_one_forgets() -> None:
    carry = add_rows(spoken(1.0, start_s=2.0), add_rows(spoken(1.0), RowCarry()))
    got = rows_between(carry, 50, 250)
    assert np.isnan(got[60:140]).all()
    assert np.isfinite(got[:45]).all()
    assert np.isfinite(got[-45:]).all()
    later = add_rows(spoken(1.0, start_s=60.0), carry)
    assert later.first >= 5990


def test_what_is_not_asked_for_any_more_is_dropped() -> None:
    carry = forget_rows(add_rows(spoken(1.0), RowCarry()), 60)
    assert carry.first == 60
    assert np.isnan(rows_between(carry, 0, 60)).all()
    assert np.isfinite(rows_between(carry, 60, 95)).all()
