from __future__ import annotations

import numpy as np
import pytest
import torch

from gpu_qa.sync.content import shipped_weights, window_scores
from gpu_qa.sync.measures import net_picture, unpacked
from gpu_qa_kernels.sync_net import (
    AUDIO_MARGIN,
    BANDS,
    CHANNELS,
    LAG_ROWS,
    LAGS,
    SHAPES,
    lag_scores,
    lag_scores_cpu,
)


def inputs(batch: int = 2, length: int = 30) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    picture = rng.normal(0, 0.5, (batch, length, 24, 42, CHANNELS)).astype(np.float32)
    sound = rng.normal(-5, 1, (batch, 4 * length + 2 * AUDIO_MARGIN, BANDS)).astype(np.float32)
    return picture, sound


def test_numpy_and_torch_agree() -> None:
    weights = shipped_weights()[0]
    got = lag_scores(np, inputs()[0], inputs()[1], weights)
    tensors = {name: torch.from_numpy(np.array(value)) for name, value in weights.items()}
    wanted = lag_scores(torch, torch.from_numpy(inputs()[0]), torch.from_numpy(inputs()[1]), tensors).numpy()
    np.testing.assert_allclose(got, wanted, atol=2e-3)
    np.testing.assert_allclose(np.exp(got).sum(1), 1.0, rtol=1e-4)


def window(length: int, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Packed measures that wander, as those of pictures do, and sound."""
    rng = np.random.default_rng(seed)
    codes = 128 + np.cumsum(rng.normal(0, 6, (length, CHANNELS, 24, 42)), 0) + rng.normal(0, 20, (CHANNELS, 24, 42))
    return np.clip(codes, 0, 255).astype(np.uint8), inputs(1, length)[1][0]


@pytest.mark.parametrize("length", [20, 21, 26, 74, 75])
def test_a_window_on_the_cpu_is_scored_as_by_the_definition(length: int) -> None:
    codes, sound = window(length)
    for weights in shipped_weights():
        wanted = lag_scores(np, net_picture(unpacked(codes[None])), sound[None], weights)[0]
        got = lag_scores_cpu(codes, sound, weights)
        assert got.dtype == np.float32
        assert got.shape == (LAGS,)
        np.testing.assert_allclose(got, wanted, atol=2e-3)


def test_the_scores_of_several_nets_are_averaged() -> None:
    codes, sound = window(40)
    mine = shipped_weights()[0]
    other = {name: np.asarray(value * np.float32(0.9)) for name, value in mine.items()}
    both = window_scores(codes[None], sound[None], (mine, other))[0]
    each = [lag_scores_cpu(codes, sound, one) for one in (mine, other)]
    np.testing.assert_allclose(both, np.mean(each, 0), atol=1e-6)


def test_a_batch_is_its_parts() -> None:
    picture, sound = inputs()
    weights = shipped_weights()[0]
    both = lag_scores(np, picture, sound, weights)
    for index in range(2):
        alone = lag_scores(np, picture[index : index + 1], sound[index : index + 1], weights)
        np.testing.assert_allclose(both[index], alone[0], atol=1e-3)


@pytest.mark.parametrize("rows", [-60, 40])
def test_sound_that_comes_later_moves_the_scores(rows: int) -> None:
    """Of rows that are cut so many later out of one sound, the lag is so much less."""
    picture, _ = inputs(1)
    long = np.random.default_rng(1).normal(-5, 1, (1, 4 * 30 + 2 * AUDIO_MARGIN + 200, BANDS)).astype(np.float32)
    length = 4 * 30 + 2 * AUDIO_MARGIN
    weights = shipped_weights()[0]
    here, there = (lag_scores(np, picture, long[:, first : first + length], weights)[0] for first in (100, 100 + rows))
    steps = rows // LAG_ROWS
    overlap = slice(max(steps, 0), LAGS + min(steps, 0)), slice(max(-steps, 0), LAGS + min(-steps, 0))
    one, other = there[overlap[0]], here[overlap[1]]
    np.testing.assert_allclose(one - one.mean(), other - other.mean(), atol=0.05)


def test_the_shipped_weights_have_the_shapes_of_the_net() -> None:
    for weights in shipped_weights():
        assert {name: value.shape for name, value in weights.items()} == SHAPES
