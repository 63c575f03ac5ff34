"""EBU Tech 3341 (v4.0), table 1, and EBU Tech 3342, table 1: the signals measured as any sound is."""

from __future__ import annotations

import numpy as np
import pytest

from tests.ebu_signals import measured, peak_burst, peak_tone, recorded, tones

MODERATE = 0.1
"""LU that Tech 3341 tolerates."""
SILENCE = -np.inf


@pytest.mark.parametrize(("dbfs", "lufs"), [(-23.0, -23.0), (-33.0, -33.0)])
def test_cases_1_and_2_of_3341_a_steady_tone(dbfs: float, lufs: float) -> None:
    signal = tones((dbfs, 20.0))
    assert recorded(signal)["integrated_lufs"] == pytest.approx(lufs, abs=MODERATE)
    series = measured(signal)
    momentary = np.concatenate([part.momentary_lufs for part in series])
    short_term = np.concatenate([part.short_term_lufs for part in series])
    assert momentary[45:] == pytest.approx(lufs, abs=MODERATE)
    assert short_term[300:] == pytest.approx(lufs, abs=MODERATE)


@pytest.mark.parametrize(
    "steps",
    [
        [(-36.0, 10.0), (-23.0, 60.0), (-36.0, 10.0)],
        [(-72.0, 10.0), (-36.0, 10.0), (-23.0, 60.0), (-36.0, 10.0), (-72.0, 10.0)],
        [(-26.0, 20.0), (-20.0, 20.1), (-26.0, 20.0)],
    ],
    ids=["3", "4", "5"],
)
def test_cases_3_to_5_of_3341_gates(steps: list[tuple[float, float]]) -> None:
    assert recorded(tones(*steps))["integrated_lufs"] == pytest.approx(-23.0, abs=MODERATE)


@pytest.mark.parametrize("surround", [("BL", "BR"), ("SL", "SR")])
@pytest.mark.parametrize("lfe", [False, True])
def test_case_6_of_3341_five_channels(surround: tuple[str, str], lfe: bool) -> None:
    levels = {"FL": -28.0, "FR": -28.0, "FC": -24.0, surround[0]: -30.0, surround[1]: -30.0} | (
        {"LFE": -3.0} if lfe else {}
    )
    signal = np.stack([tones((dbfs, 20.0)) for dbfs in levels.values()])
    assert recorded(signal, tuple(levels))["integrated_lufs"] == pytest.approx(-23.0, abs=MODERATE)


def test_case_9_of_3341_short_term_loudness_is_steady() -> None:
    series = measured(tones(*[(-20.0, 1.34), (-30.0, 1.66)] * 5))
    short_term = np.concatenate([part.short_term_lufs for part in series])
    assert short_term[300:] == pytest.approx(-23.0, abs=MODERATE)


@pytest.mark.parametrize("number", range(20))
def test_case_10_of_3341_largest_short_term_loudness_of_a_file(number: int) -> None:
    signal = tones((SILENCE, 0.15 * number), (-23.0, 3.0), (SILENCE, 1.0))
    assert recorded(signal)["max_short_term_lufs"] == pytest.approx(-23.0, abs=MODERATE)


def test_case_11_of_3341_largest_short_term_loudness_live() -> None:
    steps = [((SILENCE, 0.15 * number), (-38.0 + number, 3.0), (SILENCE, 3.0 - 0.15 * number)) for number in range(20)]
    series = measured(tones(*[step for three in steps for step in three]))
    short_term = np.concatenate([part.short_term_lufs for part in series])
    largest = np.nan_to_num(short_term, nan=-99.0).reshape(20, 600).max(axis=1)
    assert largest == pytest.approx(np.arange(-38.0, -18.0), abs=MODERATE)


def test_case_12_of_3341_momentary_loudness_is_steady() -> None:
    series = measured(tones(*[(-20.0, 0.18), (-30.0, 0.22)] * 25))
    momentary = np.concatenate([part.momentary_lufs for part in series])
    assert momentary[100:] == pytest.approx(-23.0, abs=MODERATE)


@pytest.mark.parametrize("number", range(20))
def test_case_13_of_3341_largest_momentary_loudness_of_a_file(number: int) -> None:
    signal = tones((SILENCE, 0.02 * number), (-23.0, 0.4), (SILENCE, 1.0))
    assert recorded(signal)["max_momentary_lufs"] == pytest.approx(-23.0, abs=MODERATE)


def test_case_14_of_3341_largest_momentary_loudness_live() -> None:
    steps = [((SILENCE, 0.02 * number), (-38.0 + number, 0.4), (SILENCE, 0.4 - 0.02 * number)) for number in range(20)]
    series = measured(tones(*[step for three in steps for step in three]))
    momentary = np.concatenate([part.momentary_lufs for part in series])
    largest = np.nan_to_num(momentary, nan=-99.0).reshape(20, 80).max(axis=1)
    assert largest == pytest.approx(np.arange(-38.0, -18.0), abs=MODERATE)


def within(true_peak_dbtp: float, expected_dbtp: float) -> bool:
    """The tolerance of Tech 3341 for true peaks."""
    return expected_dbtp - 0.4 <= true_peak_dbtp <= expected_dbtp + 0.2


@pytest.mark.parametrize(
    ("divisor", "amplitude", "phase_degrees", "dbtp"),
    [(4, 0.5, 0.0, -6.0), (4, 0.5, 45.0, -6.0), (6, 0.5, 60.0, -6.0), (8, 0.5, 67.5, -6.0), (4, 1.41, 45.0, 3.0)],
    ids=["15", "16", "17", "18", "19"],
)
def test_cases_15_to_19_of_3341_peaks_of_tones(
    divisor: int, amplitude: float, phase_degrees: float, dbtp: float
) -> None:
    assert within(recorded(peak_tone(divisor, amplitude, phase_degrees))["true_peak_dbtp"], dbtp)


@pytest.mark.parametrize("offset", range(4))
def test_cases_20_to_23_of_3341_peaks_of_a_burst(offset: int) -> None:
    assert within(recorded(peak_burst(offset))["true_peak_dbtp"], 0.0)


@pytest.mark.parametrize(
    ("steps", "lra_lu"),
    [
        ([(-20.0, 20.0), (-30.0, 20.0)], 10.0),
        ([(-20.0, 20.0), (-15.0, 20.0)], 5.0),
        ([(-40.0, 20.0), (-20.0, 20.0)], 20.0),
        ([(-50.0, 20.0), (-35.0, 20.0), (-20.0, 20.0), (-35.0, 20.0), (-50.0, 20.0)], 15.0),
    ],
    ids=["1", "2", "3", "4"],
)
def test_cases_1_to_4_of_3342_the_loudness_range(steps: list[tuple[float, float]], lra_lu: float) -> None:
    assert recorded(tones(*steps))["lra_lu"] == pytest.approx(lra_lu, abs=1.0)


def test_other_sample_rates_measure_the_same() -> None:
    for rate in (8_000, 32_000, 44_100, 96_000, 192_000):
        count = 10 * rate
        tone = 10 ** (-23 / 20) * np.sin(2 * np.pi * 1000 * np.arange(count) / rate)
        told = recorded(tone, rate=rate)
        assert told["integrated_lufs"] == pytest.approx(-23.0, abs=MODERATE), rate
        assert told["true_peak_dbtp"] == pytest.approx(-23.0, abs=0.3), rate
