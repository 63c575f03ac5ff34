"""`sync_net`, written once for NumPy and torch: `xp` is either module.

Channels lie last, so that every convolution is a matrix product of slices laid side by side.
"""

from __future__ import annotations

from typing import Any

from gpu_qa_kernels.sync_net.contract import AUDIO_MARGIN, LAG_ROWS, LAGS, RATIO, SCALES

__all__ = ["lag_scores", "picture_features", "sound_features", "tile_lag_scores"]


def picture_features(xp: Any, picture: Any, weights: dict[str, Any]) -> tuple[Any, Any]:
    """What each tile does over time, [B, N, T, 8], and how much it counts, [B, h, w], h · w = N."""
    batch, length, rows, columns, channels = picture.shape
    height, width = rows // 2 - 1, columns // 2 - 1
    # A patch of 4 × 4 tiles is four blocks of 2 × 2: each block is multiplied once for the four patches that it is in.
    blocks = picture.reshape(batch, length, height + 1, 2, width + 1, 2, channels)
    blocks = xp.moveaxis(blocks, 3, 4).reshape(batch, length, height + 1, width + 1, 4 * channels)
    shares = weights["picture_1"].reshape(2, 2, 2, 2, channels, -1)
    shares = xp.moveaxis(xp.moveaxis(shares, 0, -2), 1, -2).reshape(4 * channels, -1)
    hidden = _patches((blocks @ shares).reshape(*blocks.shape[:4], 4, -1))
    hidden = hidden.reshape(batch, length, height * width, -1)
    hidden = _positive(xp, hidden + weights["picture_1_bias"])
    hidden = _positive(xp, _along_time(xp, hidden, 1, 2) @ weights["picture_2"] + weights["picture_2_bias"])
    code = _along_time(xp, hidden, 1, 2) @ weights["picture_3"]
    code = code - code.mean(1)[:, None]
    moving = _boxed(blocks[..., ::channels].mean(-1).reshape(-1, height + 1, width + 1), 2)
    moving = moving.reshape(batch, length, height * width)
    about = xp.concat([hidden.mean(1), moving.mean(1)[..., None], _deviation(xp, moving)[..., None]], -1)
    gate = about @ weights["gate"] + weights["gate_bias"]
    return xp.moveaxis(code, 1, 2), gate.reshape(batch, height, width)


def sound_features(xp: Any, sound: Any, weights: dict[str, Any]) -> Any:
    """What the sound does, [B, A − 32, 8]: each row stands 16 rows after where it begins."""
    x = 0.8 * xp.clip(sound - sound.mean(1)[:, None], -3.0, 3.0)
    x = _positive(xp, _valid(xp, x, 9, 1) @ weights["sound_1"] + weights["sound_1_bias"])
    x = _positive(xp, _valid(xp, x, 9, 2) @ weights["sound_2"] + weights["sound_2_bias"])
    return _valid(xp, x, 5, 2) @ weights["sound_3"]


def tile_lag_scores(xp: Any, picture: Any, sound: Any, weights: dict[str, Any]) -> Any:
    """Log weight of every hypothesis, [B, H, K]: a tile at a scale, and a lag."""
    code, gate = picture_features(xp, picture, weights)
    heard = sound_features(xp, sound, weights)
    batch, tiles, length, channels = code.shape
    first = AUDIO_MARGIN - 16
    shifted = [
        heard[:, first - lag * LAG_ROWS : first - lag * LAG_ROWS + RATIO * (length - 1) + 1 : RATIO]
        for lag in range(-(LAGS // 2), LAGS // 2 + 1)
    ]
    lags = xp.stack(shifted, 1)
    lags = lags - lags.mean(2)[:, :, None]
    loud = (lags * lags).sum((-1, -2))
    flat = xp.moveaxis(lags.reshape(batch, LAGS, length * channels), 1, 2)
    match = code.reshape(batch, tiles, length * channels) @ flat
    energy = (code * code).sum((-1, -2)).reshape(gate.shape)
    match = match.reshape(*gate.shape, LAGS)
    seconds = length / 25.0
    hypotheses, priors = [], []
    for number, scale in enumerate(SCALES):
        near, power = _boxed(match, scale), _boxed(energy, scale)
        ratio = near / xp.sqrt(power[..., None] * loud[:, None, None] + 1e-6)
        edge = scale // 2
        here = gate[:, edge : gate.shape[1] - edge, edge : gate.shape[2] - edge]
        hypotheses.append((ratio * (2 * seconds * xp.exp(weights["sharpness"]))).reshape(batch, -1, LAGS))
        priors.append(here.reshape(batch, -1) + weights["scale_bias"][number])
    prior = xp.concat(priors, -1)
    return xp.concat(hypotheses, 1) + _log_shares(xp, prior)[..., None]


def lag_scores(xp: Any, picture: Any, sound: Any, weights: dict[str, Any]) -> Any:
    """Log probability of every lag, [B, K]."""
    each = tile_lag_scores(xp, picture, sound, weights)
    top = xp.amax(each, 1)
    return _log_shares(xp, top + xp.log(xp.exp(each - top[:, None]).sum(1)))


def _positive(xp: Any, x: Any) -> Any:
    return xp.clip(x, 0.0, None)


def _along_time(xp: Any, x: Any, axis: int, reach: int) -> Any:
    """Each step beside `reach` before and after it, zeros beyond the ends; channels last."""
    shape = list(x.shape)
    shape[axis] = reach
    nothing = xp.zeros(shape, dtype=x.dtype, device=x.device)
    padded, length = xp.concat([nothing, x, nothing], axis), x.shape[axis]
    return xp.concat([padded[:, step : step + length] for step in range(2 * reach + 1)], -1)


def _valid(xp: Any, x: Any, taps: int, apart: int) -> Any:
    length = x.shape[1] - (taps - 1) * apart
    return xp.concat([x[:, tap * apart : tap * apart + length] for tap in range(taps)], -1)


def _patches(x: Any) -> Any:
    """Sums over patches of 2 × 2 blocks, of what each block gives to the patch whose first, second, … one it is.

    Args:
        x: [B, T, h + 1, w + 1, 4, C].

    Returns:
        [B, T, h, w, C].
    """
    rows, columns = x.shape[2] - 1, x.shape[3] - 1
    return sum(
        x[:, :, down : down + rows, across : across + columns, 2 * down + across]
        for down in range(2)
        for across in range(2)
    )


def _boxed(x: Any, side: int) -> Any:
    """Means over side × side tiles wherever they fit; x [B, h, w, …]."""
    rows, columns = x.shape[1] - side + 1, x.shape[2] - side + 1
    down = sum(x[:, step : step + rows] for step in range(side))
    return sum(down[:, :, step : step + columns] for step in range(side)) / side**2


def _deviation(xp: Any, x: Any) -> Any:
    away = x - x.mean(1)[:, None]
    return xp.sqrt((away * away).mean(1) + 1e-6)


def _log_shares(xp: Any, x: Any) -> Any:
    top = xp.amax(x, -1)[..., None]
    return x - top - xp.log(xp.exp(x - top).sum(-1))[..., None]
