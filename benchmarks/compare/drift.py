"""Programmes of two minutes whose sound runs at another speed."""

from __future__ import annotations

import wave
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.compare.material import digest_of, made, whole_sound
from benchmarks.compare.schema import Drift
from benchmarks.compare.strips import laid_over, strip_of
from gpu_qa.agreement import Compared, problems
from gpu_qa.bench.film import Film, cached
from gpu_qa.sync.summary import summarize

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["drifts"]

SECONDS = 120.0
PLANTED_PPM = (-100.0, -50.0, -20.0, 0.0, 20.0, 50.0, 100.0)
DELAY_S = 3.0
_FINE_HZ = 200_000
"""Sound is resampled to this, whose millionths of 5 are whole."""


def drifts(references: Sequence[Path], work: Path) -> Iterator[Drift]:
    """A synthesised film, and clips joined to as much.

    Args:
        references: Programmes of 25 pictures per second that are joined, as many as there are.
        work: What is made is kept there.
    """
    sources = {
        "synthesised film": _synthesised(work),
        "clips, joined": _joined(references, work) if references else None,
    }
    for material, source in sources.items():
        for ppm in PLANTED_PPM if source is not None else ():
            if source is not None and (probe := _drifting(source, ppm, work)) is not None:
                yield _told(material, source, probe, ppm)


def _synthesised(work: Path) -> Path | None:
    """A film with noise whose level changes at random ten times a second, as that of speech does."""
    silent = cached(Film(SECONDS, 640, 360, 1_500_000, preset="veryfast"), work)
    rng, rate_hz = np.random.default_rng(1), 48_000
    at_s = np.arange(round(SECONDS * rate_hz)) / rate_hz
    level = 10 ** np.interp(at_s, np.arange(0, SECONDS + 1, 0.1), rng.uniform(-2.5, -0.7, round(10 * SECONDS) + 10))
    samples = (np.clip(level * rng.normal(0, 0.3, len(at_s)), -1, 1) * 32767).astype("<i2").tobytes()
    noise = work / f"drift-noise-{digest_of(samples)}.wav"
    with wave.open(str(noise), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(samples)
    return made(
        work, "drift-film", "-i", silent, "-i", noise, "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac",
        "-b:a", "160k",
    )  # fmt: skip


def _joined(references: Sequence[Path], work: Path) -> Path | None:
    inputs = [argument for path in references for argument in ("-i", path)]
    labels = "".join(f"[{number}:v][{number}:a]" for number in range(len(references)))
    return made(
        work, "drift-joined", *inputs, "-filter_complex",
        f"{labels}concat=n={len(references)}:v=1:a=1[v][h];[h]{whole_sound()}[a]",
        "-map", "[v]", "-map", "[a]", "-t", f"{SECONDS:g}", "-c:v", "libx264", "-preset", "veryfast", "-crf", "20",
        "-c:a", "aac", "-b:a", "160k",
    )  # fmt: skip


def _drifting(source: Path, ppm: float, work: Path) -> Path | None:
    """A copy whose sound gets earlier by so many millionths."""
    speed = f"aresample={_FINE_HZ},asetrate={round(_FINE_HZ * (1 + 1e-6 * ppm))},aresample=48000"
    return made(
        work, f"drift-{ppm:+.0f}", "-i", source, "-vf", f"tpad=start_duration={DELAY_S:g}", "-af",
        f"{whole_sound()},{speed},adelay={round(DELAY_S * 48000)}S:all=1", "-c:v", "libx264", "-preset", "veryfast",
        "-b:v", "500k", "-c:a", "aac", "-b:a", "64k", "-t", f"{SECONDS:g}",
    )  # fmt: skip


def _told(material: str, reference: Path, probe: Path, ppm: float) -> Drift:
    whole, probe_strip = strip_of(reference), strip_of(probe)
    compared = laid_over(whole, probe_strip).compared
    summary = compared.summary
    after_s: float | None = None
    for count in range(1, len(compared.stretches) + 1):
        known = compared.stretches[:count]
        so_far = Compared("reference", "probe", summarize(known, 0.0, whole.until_s), known, known[-1].end_s)
        if any(words.startswith("sound becomes") for words in problems(so_far)):
            after_s = known[-1].end_s
            break
    drift_ppm = None if summary is None else summary.drift_ppm
    sigma_ppm = None if summary is None else summary.drift_sigma_ppm
    return Drift(
        material,
        ppm,
        None if drift_ppm is None else round(drift_ppm, 2),
        None if sigma_ppm is None else round(sigma_ppm, 2),
        after_s,
    )
