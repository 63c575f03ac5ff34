"""What correlating series costs per stream, batched and one by one, and how exact coefficients and peaks are.

    python benchmarks/correlation.py                    # NumPy, and torch on the CPU where it is installed
    python benchmarks/correlation.py --device cuda      # and on the card, from host memory and back

Series are noise of 100 samples per second with a tenth of them missing; every call correlates and finds the peaks.
Sides take turns in one process, on one thread each. *direct* is one pair by NumPy's own `correlate`, six times for the
sums over each overlap.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "kernels")]

import numpy as np  # noqa: E402

from benchmarks import result  # noqa: E402
from benchmarks.result import (  # noqa: E402
    CorrelationAccuracy,
    CorrelationCase,
    CorrelationPlacing,
    CorrelationResult,
    Spread,
    Target,
)
from gpu_qa_kernels.cross_correlation import HOST_BUDGET_BYTES, correlation_peaks, cross_correlation  # noqa: E402
from gpu_qa_kernels.cross_correlation.contract import REACH  # noqa: E402
from gpu_qa_kernels.cross_correlation.reference import cross_correlation_reference  # noqa: E402
from gpu_qa_kernels.cross_correlation.spectral import cross_correlation_spectral  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

RATE = 100
"""Samples per second of a series."""
SHAPES = {"by content": (60.0, 2.0), "by reference": (90.0, 60.0)}
"""Seconds of series, and lags to both sides in seconds."""
STREAMS = (1, 10, 100)
APART = 12
BANDS = (0.1, 0.3, 0.5, 0.8, 1.0)


def series(streams: int, samples: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two float32 [S, T] that are alike in part, the second 0.37 s ahead, and the mask of both."""
    rng = np.random.default_rng(streams)
    shared = rng.normal(size=(streams, samples + 37)).astype(np.float32)
    a, b = (part + rng.normal(size=part.shape).astype(np.float32) for part in (shared[:, :-37], shared[:, 37:]))
    return a, b, rng.random((streams, samples)) > 0.1


def direct(a: np.ndarray, b: np.ndarray, valid: np.ndarray, reach: int, min_overlap: int) -> np.ndarray:
    """The coefficient of one pair at lags up to `reach` by sums over the samples: float64 [L]."""
    padding = np.zeros(reach)
    x, y, mask = (np.where(valid, one, 0.0).astype(np.float64) for one in (a, b, valid))
    x_long, square_long, mask_long = (np.concatenate([padding, one, padding]) for one in (x, x * x, mask))
    overlap = np.maximum(np.correlate(mask_long, mask), 1.0)
    x_sum, y_sum = np.correlate(x_long, mask), np.correlate(mask_long, y)
    covariance = np.correlate(x_long, y) - x_sum * y_sum / overlap
    x_variance = np.correlate(square_long, mask) - x_sum * x_sum / overlap
    y_variance = np.correlate(mask_long, y * y) - y_sum * y_sum / overlap
    known = (overlap >= min_overlap) & (x_variance > 0) & (y_variance > 0)
    coefficient: np.ndarray = np.full(len(overlap), np.nan)
    coefficient[known] = covariance[known] / np.sqrt(x_variance[known] * y_variance[known])
    return coefficient


def sides(name: str, streams: int, device: str) -> dict[str, Callable[[], Any]]:
    """What is measured for one shape and number of streams; each gives the lag of every peak."""
    series_s, reach_s = SHAPES[name]
    samples, reach = round(series_s * RATE), round(reach_s * RATE)
    a, b, valid = series(streams, samples)
    least = samples // 4

    def located(left: Any, right: Any, mask: Any, budget_bytes: int | None = None) -> Any:
        curves = cross_correlation(
            left,
            right,
            lags=(-reach, reach),
            min_overlap=least,
            a_valid=mask,
            b_valid=mask,
            budget_bytes=budget_bytes,
        ).coefficient
        return correlation_peaks(curves, first_lag=-reach, apart=APART).lag

    def on_device(where: str) -> np.ndarray:
        lags: np.ndarray = located(*(torch.from_numpy(one).to(where) for one in (a, b, valid))).cpu().numpy()
        return lags

    found: dict[str, Callable[[], Any]] = {
        "batched": lambda: located(a, b, valid),
        "64 MiB a part": lambda: located(a, b, valid, 64 * 2**20),
        "one by one": lambda: np.concatenate(
            [located(a[i : i + 1], b[i : i + 1], valid[i : i + 1]) for i in range(streams)]
        ),
    }
    if streams == 1:
        found["direct"] = lambda: (
            correlation_peaks(direct(a[0], b[0], valid[0], reach, least)[None], first_lag=-reach, apart=APART).lag
        )
    try:
        import torch
    except ImportError:
        return found
    torch.set_num_threads(1)
    found["torch"] = lambda: on_device("cpu")
    if device == "cuda":
        found["cuda"] = lambda: on_device("cuda")
    return found


def measured(name: str, streams: int, device: str, rounds: int) -> tuple[list[CorrelationCase], dict[str, list[float]]]:
    """The cases of one shape and number of streams, and every side's wall times in ms, round by round.

    Raises:
        RuntimeError: A side finds other peaks than the first one.
    """
    runs = sides(name, streams, device)
    expected = None
    for side, run in runs.items():
        lags = run()
        expected = lags if expected is None else expected
        if not np.allclose(lags, expected, rtol=0, atol=1e-6):
            raise RuntimeError(f"{name}, {streams} at once: {side} finds other peaks")
    wall: dict[str, list[float]] = {side: [] for side in runs}
    cpu: dict[str, list[float]] = {side: [] for side in runs}
    for number in range(rounds):
        for side in sorted(runs, reverse=bool(number % 2)):
            wall_s, cpu_s = time.perf_counter(), time.process_time()
            runs[side]()
            cpu[side].append((time.process_time() - cpu_s) * 1e3)
            wall[side].append((time.perf_counter() - wall_s) * 1e3)
    series_s, reach_s = SHAPES[name]
    cases = [
        CorrelationCase(
            name,
            side,
            streams,
            series_s,
            reach_s,
            Spread.of(wall[side]),
            Spread.of(cpu[side]),
            round(float(np.median(cpu[side])) / streams / series_s * 1e3, 3),
        )
        for side in runs
    ]
    return cases, wall


def ratios(name: str, streams: int, wall: dict[str, list[float]]) -> list[Target]:
    """How much longer the other sides take than the batched one, within rounds."""
    batched = wall["batched"]
    return [
        Target.of(
            f"{name}, {streams} at once: wall time, {side} / batched",
            [one / base for one, base in zip(times, batched, strict=True)],
        )
        for side, times in wall.items()
        if side != "batched"
    ]


def accuracy() -> list[CorrelationAccuracy]:
    """How far the coefficients of either precision are from the definition's."""
    samples = 36_000
    rng = np.random.default_rng(0)
    a = rng.normal(size=(1, samples))
    b = (a + rng.normal(size=a.shape)).astype(np.float32)
    place = np.arange(samples)
    shapes = {
        "even noise": a,
        "a hundred times weaker in the first 2 s": np.where(place < 200, a, 100 * a),
        "a step of a thousand times the noise": a + np.where(place > samples - 500, 1000, 0),
    }
    lags = (100 - samples, 200 - samples)
    found = []
    for name, shape in shapes.items():
        one = shape.astype(np.float32)
        expected = cross_correlation_reference(one, b, lags=lags, min_overlap=100).coefficient
        errors = []
        for precision in ("float64", "float32"):
            with np.errstate(all="ignore"):
                got = cross_correlation_spectral(
                    np, one, b, lags=lags, min_overlap=100, budget_bytes=HOST_BUDGET_BYTES, precision=precision
                ).coefficient
            errors.append(float(np.nan_to_num(np.abs(got - expected), nan=2.0).max()))
        found.append(CorrelationAccuracy(name, samples, *errors))
    return found


def placing(band: float, own_noise: float, delays: int = 200, samples: int = 1000) -> CorrelationPlacing:
    """How well peaks tell fractional delays of up to three samples."""
    rng = np.random.default_rng(round(100 * band))
    delay = rng.uniform(-3, 3, (delays, 1))
    whole = 4 * samples
    frequency = np.fft.rfftfreq(whole)
    spectra = rng.normal(size=(delays, len(frequency), 2)) @ np.array([1, 1j]) * (frequency < band / 2)
    pair = []
    for spectrum in (spectra, spectra * np.exp(2j * np.pi * frequency * delay)):
        # A part of the whole, which would repeat itself.
        part = np.fft.irfft(spectrum, whole)[:, samples : 2 * samples]
        part = part / part.std() + own_noise * rng.normal(size=part.shape)
        pair.append(part.astype(np.float32))
    errors = []
    for reach in (REACH - 1, 2 * REACH):  # the first leaves less around a peak than interpolation needs
        curves = cross_correlation(*pair, lags=(-reach, reach), min_overlap=samples // 2).coefficient
        lag = correlation_peaks(curves, first_lag=-reach, apart=APART).lag
        errors.append(round(float(np.sqrt(np.mean((lag - delay[:, 0]) ** 2))), 5))
    return CorrelationPlacing(band, own_noise, *errors)


def table(document: CorrelationResult) -> str:
    """The numbers for a person."""
    lines = [f"{'':<32}{'streams':>8}{'wall ms':>10}{'CPU ms':>10}{'CPU µs per stream-second':>28}"]
    lines += [
        f"{f'{case.name}, {case.side}':<32}{case.streams:>8}{case.wall_ms.median:>10.2f}{case.cpu_ms.median:>10.2f}"
        f"{case.cpu_us_per_stream_s:>28.2f}"
        for case in document.cases
    ]
    lines += [
        "",
        result.table((), document.targets),
        "",
        f"{'largest error of a coefficient':<48}{'double':>12}{'single':>12}",
    ]
    lines += [f"{one.name:<48}{one.float64:>12.1e}{one.float32:>12.1e}" for one in document.accuracy]
    lines += ["", f"{'error of a peak, samples':<48}{'parabola':>12}{'interpolation':>15}"]
    lines += [
        f"{f'{one.band:g} of the band, own noise {one.own_noise:g}':<48}{one.parabola:>12.4f}{one.interpolation:>15.4f}"
        for one in document.placing
    ]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Measure, print the numbers and write a result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="cuda measures both")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--streams", default=",".join(map(str, STREAMS)), help="how many at once, separated by commas")
    parser.add_argument("--output", type=Path, help="default: benchmarks/results/correlation-DEVICE.json")
    chosen = parser.parse_args(arguments)
    load_before = result.load()
    cases: list[CorrelationCase] = []
    targets: list[Target] = []
    for name in SHAPES:
        for streams in map(int, chosen.streams.split(",")):
            new, wall = measured(name, streams, chosen.device, chosen.rounds)
            cases += new
            targets += ratios(name, streams, wall)
    document = CorrelationResult(
        schema=result.SCHEMA,
        benchmark="correlation",
        created=result.now(),
        machine=result.machine(load_before),
        software=result.software(),
        rounds=chosen.rounds,
        cases=tuple(cases),
        targets=tuple(targets),
        accuracy=tuple(accuracy()),
        placing=tuple(placing(band, own_noise) for own_noise in (0.0, 0.3) for band in BANDS),
    )
    output = chosen.output or ROOT / "benchmarks" / "results" / f"correlation-{chosen.device}.json"
    result.write(document, output)
    print(table(document))
    print(f"\n{output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
