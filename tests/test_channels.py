"""Names of channels: the stream's own, those of the usual layout where it only counts them, or numbers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest

from gpu_qa import analyze
from gpu_qa.channels import channel_names
from tests.clips import cached_clip

if TYPE_CHECKING:
    from collections.abc import Sequence


@pytest.mark.parametrize("usual", ["mono", "stereo", "2.1", "4.0", "5.0", "5.1", "6.1", "7.1"])
def test_a_count_is_taken_for_the_usual_layout(usual: str) -> None:
    named = channel_names(av.AudioLayout(usual))
    counted = channel_names(av.AudioLayout(f"{len(named.names)} channels"))
    assert counted.names == named.names
    assert (named.assumed, counted.assumed) == (False, True)


def layout(name: str, channels: Sequence[str]) -> Any:
    named = [SimpleNamespace(name=channel) for channel in channels]
    return SimpleNamespace(name=name, nb_channels=len(named), channels=named)


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("2 channels (FL+FL)", ("FL", "FL")),
        ("2 channels (USR70+USR71)", ("USR70", "USR71")),
        ("16 channels", ("NONE",) * 16),
        ("ambisonic 1", ("UNK",) * 4),
    ],
)
def test_what_has_no_position_is_numbered(name: str, channels: tuple[str, ...]) -> None:
    numbers = tuple(map(str, range(len(channels))))
    assert channel_names(layout(name, channels)) == (numbers, False)


def opposite(t_s: np.ndarray) -> np.ndarray:
    left = (0.3 * np.sin(2 * np.pi * 400.0 * t_s) * (1.2 + np.sin(2 * np.pi * 3.0 * t_s))).astype(np.float32)
    return np.stack([left, -left])


@pytest.mark.parametrize("name", ["a.wav", "a.mkv", "a.mxf"])
def test_pairs_are_compared_where_pcm_is_only_counted(name: str) -> None:
    clip = cached_clip(
        name,
        seconds=8,
        codec="mpeg2video" if name == "a.mxf" else None,
        audio="pcm_s16le",
        sound=opposite,
    )
    report = analyze(clip)
    assert "audio.phase_inversion" in {event.kind for event in report.events}
    track = report.media["tracks"][-1]
    assert (track["channels"], track["channels_assumed"]) == (["FL", "FR"], True)
