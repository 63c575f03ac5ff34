"""Rendered scenes with sound: measures to train on."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import av
import numpy as np

from gpu_qa.sync.measures import tile_motion
from gpu_qa.sync_training.mouth import STEPS_PER_S, mouth_track
from gpu_qa.sync_training.speech import talk
from gpu_qa.sync_training.talker import Figure, Pose, draw, drift, random_figure, texture
from gpu_qa_kernels import SMALL_COLS, SMALL_ROWS
from gpu_qa_kernels.motion_tiles import motion_tiles

RATES = (25.0, 25.0, 25.0, 30000 / 1001, 24000 / 1001, 50.0, 15.0)


@dataclass(frozen=True, slots=True)
class Scene:
    """One shot, measured."""

    motion: np.ndarray
    """float16 [T, 7, 24, 42]: `tile_motion`."""
    times_s: np.ndarray
    """float64 [T]: when each picture is shown."""
    samples: np.ndarray
    """float32 [n]: sound from time 0 on."""
    rate: int
    """Hz."""
    source: str
    """Where it comes from; scenes of one source are not told apart as wrong sound."""


def measured(pictures: list[np.ndarray], redness: list[np.ndarray], times_s: np.ndarray) -> np.ndarray:
    """Pictures float32 [192, 336] in 8-bit codes and Cr − Cb [24, 42] → float16 [T, 7, 24, 42]."""
    small = [np.clip(picture * 256, 0, 65280).astype(np.uint16) for picture in pictures]
    sums = np.stack([motion_tiles(now, small[max(i - 1, 0)] if i else None) for i, now in enumerate(small)])
    step_s = np.diff(times_s, prepend=times_s[0] - (times_s[1] - times_s[0]))
    return tile_motion(sums, np.stack(redness), step_s).astype(np.float16)


def talking_scene(seed: int, seconds: float = 6.0) -> Scene:
    """A figure that says something, before something, perhaps with others who say nothing."""
    rng = np.random.default_rng([20260101, seed])
    speech = talk(rng, seconds)
    opening, width = mouth_track(speech, rng, lead_s=rng.uniform(0.0, 0.06), smooth_s=rng.uniform(0.03, 0.065))
    emphasis = np.exp(0.45 * drift(rng, np.arange(len(opening)) / STEPS_PER_S, 0.3, 3.0))
    opening = opening * np.clip(emphasis, 0.4, 1.5)
    loudness = np.interp(np.arange(len(speech.samples)) / speech.rate, np.arange(len(emphasis)) / STEPS_PER_S, emphasis)
    spoken = (speech.samples * loudness ** rng.uniform(0.5, 1.5)).astype(np.float32)
    rate = float(rng.choice(RATES))
    length_s = min(seconds, len(speech.samples) / speech.rate)
    times_s = np.arange(int(length_s * rate)) / rate
    shape = float(rng.choice([1.0, 1.0, 0.76, 0.57]))
    others = [random_figure(rng, shape) for _ in range(int(rng.choice([0, 0, 0, 1, 2])))]
    speaker = random_figure(rng, shape)
    steps = np.clip((times_s * STEPS_PER_S).astype(int), 0, len(opening) - 1)
    strength = rng.uniform(0.3, 1.0)
    loud = np.convolve(opening, np.ones(60) / 60, mode="same")[steps]
    pictures, redness = _shots(
        rng,
        times_s,
        [(figure, None, None) for figure in others] + [(speaker, opening[steps] * strength, width[steps])],
        nod=loud * rng.uniform(-0.05, 0.12),
    )
    samples = _recorded(rng, spoken[: int(length_s * speech.rate)], speech.rate)
    pictures = _coded(rng, pictures)
    return Scene(measured(pictures, redness, times_s), times_s, samples, speech.rate, f"talker {seed}")


def _coded(rng: np.random.Generator, pictures: list[np.ndarray]) -> list[np.ndarray]:
    """As they come out of a codec at a low rate; most of them."""
    if rng.random() < 0.25:
        return pictures
    codec = str(rng.choice(["libx264", "mpeg4", "mpeg2video"]))
    with av.open(io.BytesIO(), "w", format="matroska") as container:
        stream: Any = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = SMALL_COLS, SMALL_ROWS, "yuv420p"
        stream.bit_rate = int(np.exp(rng.uniform(np.log(60e3), np.log(800e3))))
        stream.codec_context.gop_size = int(rng.choice([12, 25, 50, 250]))
        stream.codec_context.thread_count = 1
        if codec == "libx264":
            # With more of its look-ahead it spends its bits in another way every time.
            stream.options = {"preset": "veryfast", "x264-params": "mbtree=0:b-adapt=0"}
        packets: list[Any] = []
        grey = np.full((SMALL_ROWS // 2, SMALL_COLS), 128, np.uint8)
        for number, picture in enumerate(pictures):
            codes = np.clip(picture, 0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(np.concatenate([codes, grey]), format="yuv420p")
            frame.pts = number
            packets += stream.encode(frame)
        packets += stream.encode(None)
        decoder: Any = av.CodecContext.create({"libx264": "h264"}.get(codec, codec), "r")
        decoder.extradata = stream.codec_context.extradata
        frames = [frame for packet in [*packets, None] for frame in decoder.decode(packet)]
    if len(frames) != len(pictures):
        return pictures
    return [frame.to_ndarray()[:SMALL_ROWS].astype(np.float32) for frame in frames]


def _shots(
    rng: np.random.Generator,
    times_s: np.ndarray,
    figures: list[tuple[Figure, np.ndarray | None, np.ndarray | None]],
    nod: np.ndarray,
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Draw figures with their mouths over time before a background."""
    count = len(times_s)
    margin = 40
    ground = texture(rng, SMALL_ROWS + 2 * margin, SMALL_COLS + 2 * margin, rng.uniform(0.9, 1.5))
    ground = np.clip(rng.uniform(50, 170) + ground * rng.uniform(5, 40), 5, 250)
    pan = rng.choice([0.0, 0.0, 0.3, 1.0]) * margin * 0.9
    pan_rows, pan_columns = (pan * np.clip(drift(rng, times_s, 0.02, rng.choice([0.1, 3.0])), -1, 1) for _ in range(2))
    ground_red = rng.uniform(-25, 20)
    moves = []
    for figure, _, _ in figures:
        half = figure.size[0]
        lively = rng.uniform(0.02, 0.22) * half
        moves.append(
            (
                lively * drift(rng, times_s, 0.1, 2.5),
                lively * drift(rng, times_s, 0.1, 2.0),
                rng.uniform(0, 0.08) * drift(rng, times_s, 0.1, 1.5),
                (rng.random(count) < 0.01).astype(float),
                drift(rng, times_s, 0.2, 2.0),
                np.clip(0.3 * drift(rng, times_s, 0.1, 4.0), 0, 1) * rng.choice([0.0, 0.0, 1.0]),
            )
        )
    blobs = [
        (
            rng.uniform(0.3, 1.0) * SMALL_ROWS * (0.5 + 0.5 * drift(rng, times_s, 0.1, rng.uniform(0.5, 3))),
            SMALL_COLS * (0.5 + 0.6 * drift(rng, times_s, 0.1, rng.uniform(0.5, 3))),
            rng.uniform(4, 25),
            rng.uniform(20, 230),
        )
        for _ in range(int(rng.choice([0, 0, 1, 2])))
    ]
    grain = rng.uniform(0.0, 1.6)
    gain, lift = rng.uniform(0.7, 1.1), rng.uniform(-5, 20)
    rows, columns = np.arange(SMALL_ROWS)[:, None], np.arange(SMALL_COLS)[None]
    pictures, redness = [], []
    blink = 0.0
    for index in range(count):
        down, across = margin + pan_rows[index], margin + pan_columns[index]
        luma = _shifted(ground, down, across)
        red = np.full((SMALL_ROWS, SMALL_COLS), ground_red, np.float32)
        for (figure, opening, width), move in zip(figures, moves, strict=True):
            blink = 1.0 if move[3][index] else max(0.0, blink - 0.35)
            speaks = opening is not None
            pose = Pose(
                row=move[0][index]
                + (pan_rows[index] * -1 if pan else 0)
                + (nod[index] * figure.size[0] if speaks else 0),
                column=move[1][index] - (pan_columns[index] if pan else 0),
                opening=float(opening[index]) if opening is not None else float(move[5][index]),
                width=float(width[index]) if width is not None else 0.5,
                blink=blink,
                brow=float(move[4][index]),
                tilt=float(move[2][index]),
            )
            draw(luma, red, figure, pose)
        for blob_rows, blob_columns, size, code in blobs:
            inside = np.exp(
                -((((rows - blob_rows[index]) / size) ** 2 + ((columns - blob_columns[index]) / size) ** 2) ** 2)
            )
            luma += inside.astype(np.float32) * (code - luma)
        luma = luma * gain + lift
        if grain:
            luma += rng.normal(0, grain, luma.shape).astype(np.float32)
        pictures.append(luma)
        redness.append(red.reshape(24, 8, 42, 8).mean((1, 3)))
    return pictures, redness


def _shifted(ground: np.ndarray, down: float, across: float) -> np.ndarray:
    """A part of the ground at a place between samples, float32 [192, 336]."""
    row, column = int(np.floor(down)), int(np.floor(across))
    y, x = np.float32(down - row), np.float32(across - column)
    part = ground[row : row + SMALL_ROWS + 1, column : column + SMALL_COLS + 1].astype(np.float32)
    part = part[:-1] * (1 - y) + part[1:] * y
    return part[:, :-1] * (1 - x) + part[:, 1:] * x


def _recorded(rng: np.random.Generator, samples: np.ndarray, rate: int) -> np.ndarray:
    """As a microphone in a room has it: tilt, reverberation, noise."""
    x = samples * rng.uniform(0.1, 1.0)
    if rng.random() < 0.7:
        decay_s = rng.uniform(0.05, 0.4)
        tail = rng.normal(size=int(rate * decay_s * 1.5)) * np.exp(
            -np.arange(int(rate * decay_s * 1.5)) / (rate * decay_s / 3)
        )
        tail *= rng.uniform(0.05, 0.6) / np.sqrt((tail**2).sum())
        tail[0] += 1.0
        length = len(x) + len(tail)
        x = np.fft.irfft(np.fft.rfft(x, length) * np.fft.rfft(tail, length), length)[: len(x)]
    spectrum, hz = np.fft.rfft(x), np.fft.rfftfreq(len(x), 1 / rate)
    tilt_db = rng.uniform(-6, 6) * np.log2(np.maximum(hz, 50) / 1000) / 3 + rng.normal(0, 2) * np.sin(hz / 700)
    x = np.fft.irfft(spectrum * 10 ** (tilt_db / 20), len(x))
    return np.asarray(x + rng.normal(0, 10 ** rng.uniform(-4.5, -2.3), len(x)), np.float32)


def impact_scene(seed: int, seconds: float = 6.0) -> Scene:
    """Something that strikes something, again and again; it sounds when it strikes."""
    rng = np.random.default_rng([20260102, seed])
    rate = float(rng.choice(RATES))
    times_s = np.arange(int(seconds * rate)) / rate
    gaps_s = np.exp(rng.normal(np.log(rng.uniform(0.25, 1.2)), rng.uniform(0.05, 0.5), 200))
    hits_s = np.cumsum(np.maximum(gaps_s, 0.14))
    hits_s = hits_s[hits_s < seconds]
    fine_s = np.arange(int(seconds * 400)) / 400
    following = np.clip(np.searchsorted(hits_s, fine_s), 1, len(hits_s) - 1)
    last_s, next_s = hits_s[following - 1], hits_s[following]
    swing_s = np.minimum(rng.uniform(0.15, 0.5), next_s - last_s)
    rest = rng.choice([0.0, 1.0])
    up = np.sin(np.pi * np.clip((fine_s - next_s + swing_s) / swing_s, 0, 1)) ** rng.uniform(0.6, 1.5)
    rebound = 0.25 * rng.random() * np.exp(-np.clip(fine_s - last_s, 0, None) / 0.06) * (fine_s > last_s)
    height = np.maximum(up, rebound) * (1 - 0.3 * rest)
    steps = np.clip((times_s * 400).astype(int), 0, len(fine_s) - 1)
    shutter = max(int(400 / rate * rng.uniform(0.1, 0.6)), 1)
    height = np.convolve(height, np.ones(shutter) / shutter, mode="same")[steps]
    pictures, redness = _strikes(rng, times_s, height, hits_s)
    samples, sound_rate = _struck(rng, hits_s, seconds)
    pictures = _coded(rng, pictures)
    return Scene(measured(pictures, redness, times_s), times_s, samples, sound_rate, f"impact {seed}")


def _strikes(
    rng: np.random.Generator, times_s: np.ndarray, height: np.ndarray, hits_s: np.ndarray
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """A stick or a hand above an object that gives way a little when it is struck."""
    pictures, redness = _shots(rng, times_s, [], np.zeros(len(times_s)))
    rows, columns = np.arange(SMALL_ROWS)[:, None], np.arange(SMALL_COLS)[None]
    at = np.array([rng.uniform(60, 160), rng.uniform(80, 260)])
    reach, angle = rng.uniform(15, 80), rng.uniform(-1.2, 1.2)
    thick, long = rng.uniform(3, 14), rng.uniform(25, 120)
    code, ground_code = rng.uniform(20, 235), rng.uniform(20, 235)
    wide, high = rng.uniform(15, 60), rng.uniform(8, 30)
    since_s = times_s - np.append(-9.0, hits_s)[np.searchsorted(hits_s, times_s, side="right")]
    shake = rng.uniform(0, 2.5) * np.exp(-since_s / 0.08) * np.cos(since_s * rng.uniform(30, 90))
    sway = rng.uniform(0, 3) * drift(rng, times_s, 0.1, 1.0)
    for index, picture in enumerate(pictures):
        top = at[0] + high + shake[index]
        box = np.clip(6 * (1 - np.maximum(np.abs((columns - at[1]) / wide), np.abs((rows - top) / high))), 0, 1)
        pictures[index] += box.astype(np.float32) * (ground_code - picture)
        tip = np.array(
            [at[0] - reach * height[index], at[1] + sway[index] + 0.3 * reach * height[index] * np.sin(angle)]
        )
        along = np.array([-np.cos(angle), np.sin(angle)])
        y, x = rows - tip[0], columns - tip[1]
        forward, aside = y * along[0] + x * along[1], y * along[1] - x * along[0]
        stick = np.clip((thick - np.abs(aside)) / 1.5, 0, 1) * np.clip(forward + 1, 0, 1) * (forward < long)
        pictures[index] += stick.astype(np.float32) * (code - picture)
    return pictures, redness


def _struck(rng: np.random.Generator, hits_s: np.ndarray, seconds: float) -> tuple[np.ndarray, int]:
    """A burst of noise and a few resonances at every strike."""
    rate = 22050
    x = np.zeros(int(seconds * rate) + rate)
    time_s = np.arange(int(0.5 * rate)) / rate
    tones = rng.uniform(100, 6000, 4)
    noise_decay_s, tone_decay_s = rng.uniform(0.005, 0.08), rng.uniform(0.02, 0.2)
    colour = rng.uniform(0.0, 0.9)
    for hit_s in hits_s:
        noise = rng.normal(size=len(time_s)) * np.exp(-time_s / noise_decay_s)
        noise[1:] += colour * noise[:-1]
        rings = (np.sin(2 * np.pi * tones * time_s[:, None]) * rng.uniform(0, 1, 4)).sum(1) * np.exp(
            -time_s / tone_decay_s
        )
        first = int(hit_s * rate)
        x[first : first + len(time_s)] += rng.uniform(0.3, 1.0) * (noise + rng.uniform(0, 1.5) * rings)
    x = x[: int(seconds * rate)]
    return _recorded(rng, np.asarray(0.3 * x / np.abs(x).max(), np.float32), rate), rate
