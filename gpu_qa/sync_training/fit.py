"""Fit the net to takes, with torch on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gpu_qa.errors import GpuQaError
from gpu_qa.sync_training.batch import LENGTHS, random_batch
from gpu_qa.sync_training.scores import trained_lag_scores
from gpu_qa_kernels.sync_net import LAG_S, LAGS, SHAPES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gpu_qa.sync_training.batch import Batch
    from gpu_qa.sync_training.take import Take

BATCH = 12
RATE = 4e-3
DECAY = 2e-2
WIDTH_S = 0.03
"""Standard deviation of the lags that count as right."""
TAUGHT_RATE = 2e-3
"""For a net that is taught."""
TRUTH_SHARE = 0.3
"""Share of the truth beside the teachers in what a taught net is to say."""


def fit(
    takes: Sequence[Take],
    *,
    steps: int,
    seed: int,
    teachers: Sequence[dict[str, np.ndarray]] = (),
    on_step: Callable[[int, float], None] | None = None,
) -> dict[str, np.ndarray]:
    """Weights of one net, float32. The same takes, steps, seed and teachers give the same weights on the same machine.

    Args:
        takes: Shots, with their sound in step.
        steps: Of the optimiser.
        seed: Of the first weights and of the windows.
        teachers: Weights of nets whose mean log probabilities it is to give too; it begins as the first of them.
        on_step: Told each step's number and loss; null tells nobody.

    Raises:
        GpuQaError: torch is not installed, or no take is long enough.
    """
    try:
        import torch
    except ImportError as error:
        raise GpuQaError("training needs torch: pip install torch") from error
    if not any(len(take.motion) >= LENGTHS[1] - 1 for take in takes):
        raise GpuQaError(f"no shot is as long as {(LENGTHS[1] - 1) / 25:.1f} s: there is nothing to train on")
    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    weights, rate = _first_weights(torch, seed), RATE
    taught_by = [{name: torch.from_numpy(weight) for name, weight in one.items()} for one in teachers]
    if taught_by:
        weights, rate = (
            {name: weight.clone().requires_grad_(True) for name, weight in taught_by[0].items()},
            TAUGHT_RATE,
        )
    optimizer = torch.optim.AdamW(list(weights.values()), lr=rate, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    for step in range(steps):
        batch = random_batch(takes, rng, BATCH)
        picture, sound = torch.from_numpy(batch.picture), torch.from_numpy(batch.sound)
        wanted = _truth(torch, batch)
        if taught_by:
            with torch.no_grad():
                said = torch.stack([trained_lag_scores(torch, picture, sound, one) for one in taught_by]).mean(0)
            wanted = _taught(torch, batch, wanted, said)
        told = trained_lag_scores(torch, picture, sound, weights)
        loss = -(wanted * told).sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(weights.values()), 2.0)
        optimizer.step()
        schedule.step()
        if on_step is not None:
            on_step(step + 1, float(loss.detach()))
    return {name: weight.detach().numpy() for name, weight in weights.items()}


def _truth(torch: Any, batch: Batch) -> Any:
    """What is to be said of each window: a bell around its lag, nothing where the sound is of something else."""
    lags_s = (torch.arange(LAGS) - LAGS // 2) * LAG_S
    lag_s = torch.from_numpy(batch.lag_s)
    bell = torch.softmax(-0.5 * ((lags_s - lag_s[:, None]) / WIDTH_S) ** 2, 1)
    return torch.where(torch.from_numpy(batch.fits)[:, None], bell, 1 / LAGS)


def _taught(torch: Any, batch: Batch, truth: Any, said: Any) -> Any:
    """The truth with what teachers say, their log probabilities [B, 101], of the windows whose sound is their own.

    What is wrong is known to be so, whatever they say.
    """
    share = torch.where(torch.from_numpy(batch.fits)[:, None], 1 - TRUTH_SHARE, 0.0)
    return torch.lerp(truth, torch.softmax(said, 1), share)


def _first_weights(torch: Any, seed: int) -> dict[str, Any]:
    """Those of He and others for products, 0 for the rest."""
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, shape in SHAPES.items():
        is_product = len(shape) == 2
        weight = torch.randn(shape, generator=generator) * (2 / shape[0]) ** 0.5 if is_product else torch.zeros(shape)
        weights[name] = weight.requires_grad_(True)
    return weights
