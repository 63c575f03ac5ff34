"""What is measured of a file, kept beside it, and two of them laid over one another as the command does it."""

from __future__ import annotations

import hashlib
import pickle
import time
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.result import ROOT
from gpu_qa.agreement import Compared
from gpu_qa.config import Settings
from gpu_qa.decode import open_decoder
from gpu_qa.features import HostPictures, StreamFeatures
from gpu_qa.sources import open_source
from gpu_qa.sync.reference import ReferenceLimits
from gpu_qa.sync.side import Reference
from gpu_qa.sync.strip import Pictures, Sound, Strip, extended
from gpu_qa.sync.summary import summarize

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Laid", "digest_of_method", "laid_over", "reversed_in_time", "strip_of"]

_MEASURES = ("gpu_qa/features/**/*.py", "gpu_qa/decode/**/*.py", "gpu_qa/series/**/*.py", "gpu_qa/sync/strip.py")
_METHOD = (*_MEASURES, "gpu_qa/sync/**/*.py", "kernels/gpu_qa_kernels/cross_correlation/*.py", "gpu_qa/agreement.py")


class Laid(NamedTuple):
    """A probe laid over its reference."""

    compared: Compared
    cpu_ms: float
    """What that took of one core, without measuring, milliseconds."""


@cache
def _digest(patterns: tuple[str, ...]) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for pattern in patterns for path in ROOT.glob(pattern)):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def digest_of_method() -> str:
    """Changes with the code that measures and lays probes over references: answers of another one are no answers."""
    return _digest(_METHOD)


def strip_of(path: Path) -> Strip:
    """What is measured of a file; kept beside it until the code that measures changes."""
    kept = path.with_suffix(f".{_digest(_MEASURES)}.strip")
    if kept.exists():
        found: Strip = pickle.loads(kept.read_bytes())  # noqa: S301 - written below
        return found
    strip = _measured(path)
    part = kept.with_suffix(".part")
    part.write_bytes(pickle.dumps(strip, pickle.HIGHEST_PROTOCOL))
    part.replace(kept)
    return strip


def _measured(path: Path) -> Strip:
    settings, strip = Settings(), Strip()
    with open_source(path, settings.source) as source:
        pictures, features = HostPictures(), StreamFeatures(source.facts.tracks, spectra=False)
        decoders = {one.index: open_decoder(one, settings.decode) for one in source.facts.tracks}
        try:
            for packet in source.packets():
                decoder = decoders[packet.track.index]
                decoded = decoder.drain() if packet.native is None else decoder.decode(packet)
                found = features.take([pictures.measure(frame) for frame in decoded.frames], decoded.sound)
                strip = extended(strip, found.video, found.audio, until_s=features.timeline.until_s)
        finally:
            for decoder in decoders.values():
                decoder.close()
        rest = features.flush(ended=True)
    return extended(strip, rest.video, rest.audio, until_s=features.timeline.until_s, ended=True)


def laid_over(reference: Strip, probe: Strip) -> Laid:
    """Lay a probe over a reference, both whole, with the command's defaults."""
    original = Reference(ReferenceLimits())
    side = original.add()
    original.strip, side.strip = reference, probe
    began_s = time.process_time()
    stretches = tuple(side.align(by_arrival=False))
    cpu_ms = 1000 * (time.process_time() - began_s)
    summary = summarize(stretches, 0.0, reference.until_s) if stretches else None
    return Laid(Compared("reference", "probe", summary, stretches, probe.until_s), cpu_ms)


def reversed_in_time(strip: Strip) -> Strip:
    """The strip as it would be measured of a file that runs backwards."""
    until_s = strip.until_s
    pictures = tuple(
        Pictures(
            until_s - one.end_s[::-1],
            until_s - one.pts_s[::-1],
            one.luma[::-1],
            one.rows_lit[::-1],
            one.columns_lit[::-1],
        )
        for one in reversed(strip.pictures)
    )
    sound = tuple(
        Sound(
            until_s - one.end_s[::-1],
            until_s - one.pts_s[::-1],
            one.fine[::-1, ::-1],
            one.hops[::-1],
            one.power[::-1],
        )
        for one in reversed(strip.sound)
    )
    return replace(
        strip,
        pictures=pictures,
        sound=sound,
        pictures_until_s=until_s if pictures else 0.0,
        sound_until_s=until_s if sound else 0.0,
    )
