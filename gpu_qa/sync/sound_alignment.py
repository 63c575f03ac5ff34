"""Sound alignment: where the sound of a probe stands in the reference, by its envelopes.

The whole range is searched with three envelopes of 10 ms hops, loudness among them; the peak is placed by the envelope
of quarter hops and by interpolation between them. Logarithms make it indifferent to gain, and what is slower than half
a second is taken out, so that a compressor or another mix of channels does little.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gpu_qa.sync.lag import Fit, Rows, Sought
from gpu_qa.sync.resample import held, smoothed
from gpu_qa.sync.strip import Sound

if TYPE_CHECKING:
    from gpu_qa.sync.abreast import Once, Search

__all__ = ["heard", "sound_search"]

COARSE_S, FINE_S = 0.01, 0.0025
"""Steps of both searches: the hop and its quarter."""
SLOW_S = (0.5, 0.1)
"""What varies more slowly than this is taken out, in the coarse search and in the fine one."""
REACH_S = 0.1
"""The fine search goes so far around the coarse delay: what lies between its steps is interpolated with 16 of them."""
NEAR_S = 0.0075
"""The fine peak is so near the coarse delay: voices and engines fit a period of theirs later about as well, 2 to 20 ms,
and one of 216 stretches was placed 18 ms off. The coarse delay itself was off by 5 ms at most."""
APART_S = 0.3
"""Other peaks of the coarse search are so far away."""
HEARD_POWER = 1e-6
"""Mean square from which on there is something to hear: −60 dBFS, as for silence (FFmpeg silencedetect)."""


def heard(sound: Sound) -> float:
    """Seconds in which there is something to hear."""
    return float((sound.end_s - sound.pts_s)[sound.power > HEARD_POWER].sum())


def sound_search(
    probe: Sound, reference: Sound, once: Once, *, within_s: tuple[float, float], least_s: float
) -> Search[Fit | None]:
    """Lay sound of a probe over that of the reference.

    Args:
        probe: A stretch of seconds.
        reference: All that it may stand in.
        once: What is made of the reference.
        within_s: Delays that are tried, from and to, seconds.
        least_s: Least overlap that is judged, seconds.
    """
    theirs = once("hops", lambda: _hops(reference))
    (coarse,) = yield [Sought(_hops(probe), theirs, within_s, least_s, APART_S)]
    if coarse is None:
        return None
    near_s = (coarse.delay_s - REACH_S, coarse.delay_s + REACH_S)
    inside = (reference.end_s > probe.pts_s[0] - near_s[1] - 0.5) & (
        reference.pts_s < probe.end_s[-1] - near_s[0] + 0.5
    )
    if not inside.any():
        return None
    beside = Sound(*(getattr(reference, name)[inside] for name in ("pts_s", "end_s", "fine", "hops", "power")))
    peak_s = (coarse.delay_s - NEAR_S, coarse.delay_s + NEAR_S)
    (fine,) = yield [Sought(_quarters(probe), _quarters(beside), near_s, least_s, APART_S, peak_s)]
    if fine is None:
        return None
    # What both have in common shows in the hops: of quarters coders change more.
    return coarse._replace(delay_s=fine.delay_s, overlap_s=fine.overlap_s, sigma_s=fine.sigma_s)


def _hops(sound: Sound) -> Rows:
    return _envelopes(sound.pts_s, sound.end_s, sound.hops, COARSE_S, SLOW_S[0])


def _quarters(sound: Sound) -> Rows:
    quarter_s = (sound.end_s - sound.pts_s)[:, None] / 4
    starts_s = sound.pts_s[:, None] + quarter_s * np.arange(4)
    return _envelopes(starts_s.ravel(), (starts_s + quarter_s).ravel(), sound.fine.reshape(-1, 1), FINE_S, SLOW_S[1])


def _envelopes(pts_s: np.ndarray, end_s: np.ndarray, values: np.ndarray, step_s: float, slow_s: float) -> Rows:
    start_s = float(np.floor(pts_s[0] / step_s) * step_s)
    count = max(2, round((end_s[-1] - start_s) / step_s))
    level, valid = held(pts_s, end_s, values, start_s=start_s, step_s=step_s, count=count)
    width = 2 * round(slow_s / step_s / 2) + 1
    quick = np.where(valid, level - smoothed(level, valid, width), 0.0)
    return Rows(quick.astype(np.float32), valid, start_s, step_s)
