"""`lag_scores` of `gpu_qa_kernels.sync_net` in torch's convolutions: the same numbers, gradients in less time."""

from __future__ import annotations

from typing import Any

from gpu_qa_kernels.sync_net import AUDIO_MARGIN, BANDS, CHANNELS, LAG_ROWS, LAGS, RATIO, SCALES

_BEFORE = 16
"""Rows that the convolutions over sound take away at either end."""


def trained_lag_scores(torch: Any, picture: Any, sound: Any, weights: dict[str, Any]) -> Any:
    """Log probability of every lag, float32 [B, K]; gradients flow to the weights.

    Args:
        torch: The module.
        picture: float32 [B, T, R, K, 7].
        sound: float32 [B, 4 T + 320, 12].
        weights: By the names of `SHAPES`.
    """
    code, gate = _seen(torch, picture, weights)
    heard = _heard(torch, sound, weights)
    batch, channels, length, tiles = code.shape
    lags = torch.arange(-(LAGS // 2), LAGS // 2 + 1)
    rows = AUDIO_MARGIN - _BEFORE - lags[:, None] * LAG_ROWS + RATIO * torch.arange(length)
    shifted = heard[:, :, rows.reshape(-1)].reshape(batch, channels, LAGS, length)
    shifted = shifted - shifted.mean(3, keepdim=True)
    loud = (shifted * shifted).sum((1, 3))
    # [B, K, C T] against [B, C T, N].
    by_lag = shifted.transpose(1, 2).reshape(batch, LAGS, channels * length)
    match = by_lag @ code.reshape(batch, channels * length, tiles)
    energy = (code * code).sum((1, 2)).reshape(batch, 1, *gate.shape[1:])
    match = match.reshape(batch, LAGS, *gate.shape[1:])
    sharpness = 2 * length / 25.0 * torch.exp(weights["sharpness"])
    hypotheses, priors = [], []
    for number, scale in enumerate(SCALES):
        near = torch.nn.functional.avg_pool2d(match, scale, 1)
        power = torch.nn.functional.avg_pool2d(energy, scale, 1)
        ratio = near * torch.rsqrt(power * loud[:, :, None, None] + 1e-6)
        edge = scale // 2
        here = gate[:, edge : gate.shape[1] - edge, edge : gate.shape[2] - edge]
        hypotheses.append((ratio * sharpness).reshape(batch, LAGS, -1))
        priors.append(here.reshape(batch, -1) + weights["scale_bias"][number])
    prior = torch.log_softmax(torch.cat(priors, 1), 1)
    return torch.log_softmax(torch.logsumexp(torch.cat(hypotheses, 2) + prior[:, None], 2), 1)


def _seen(torch: Any, picture: Any, weights: dict[str, Any]) -> tuple[Any, Any]:
    """What each tile does over time, [B, 8, T, N], and how much it counts, [B, h, w], h · w = N."""
    batch, length = picture.shape[:2]
    functional = torch.nn.functional
    tiles = torch.moveaxis(picture.reshape(-1, *picture.shape[2:]), -1, 1)
    kernel = weights["picture_1"].reshape(4, 4, CHANNELS, -1).permute(3, 2, 0, 1)
    hidden = functional.conv2d(tiles, kernel, weights["picture_1_bias"], stride=2)
    height, width = hidden.shape[-2:]
    hidden = torch.relu(hidden).permute(0, 2, 3, 1).reshape(batch, length, height * width, -1).permute(0, 3, 1, 2)
    hidden = torch.relu(
        functional.conv2d(hidden, _over_time(weights["picture_2"]), weights["picture_2_bias"], padding=(2, 0))
    )
    code = functional.conv2d(hidden, _over_time(weights["picture_3"]), padding=(2, 0))
    code = (code - code.mean(2, keepdim=True)).contiguous()
    moving = functional.avg_pool2d(tiles[:, :1], 4, 2).reshape(batch, length, height * width)
    deviation = torch.sqrt(moving.var(1, unbiased=False) + 1e-6)
    about = torch.cat([hidden.mean(2), moving.mean(1)[:, None], deviation[:, None]], 1)
    gate = torch.einsum("bcn,c->bn", about, weights["gate"]) + weights["gate_bias"]
    return code, gate.reshape(batch, height, width)


def _heard(torch: Any, sound: Any, weights: dict[str, Any]) -> Any:
    """What the sound does, [B, 8, A − 32]: each row stands 16 rows after where it begins."""
    x = (0.8 * torch.clip(sound - sound.mean(1, keepdim=True), -3.0, 3.0)).transpose(1, 2)
    for name, taps, apart, channels in (("sound_1", 9, 1, BANDS), ("sound_2", 9, 2, 24), ("sound_3", 5, 2, 24)):
        kernel = weights[name].reshape(taps, channels, -1).permute(2, 1, 0)
        x = torch.nn.functional.conv1d(x, kernel, weights.get(f"{name}_bias"), dilation=apart)
        x = x if name == "sound_3" else torch.relu(x)
    return x


def _over_time(weight: Any) -> Any:
    """[5 · C, D] as a kernel over [B, C, T, N]."""
    return weight.reshape(5, 16, -1).permute(2, 1, 0)[..., None]
