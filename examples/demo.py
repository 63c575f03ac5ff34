"""Synthesise a minute of television with planted faults, analyze it as the command does, and write a report.

    python examples/demo.py DIR

The clip is the same on every run: a camera pans over hills in which a balloon drifts, somebody talks.
"""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np

WIDTH, HEIGHT, FRAME_RATE, SECONDS = 640, 360, 25, 60
SAMPLE_RATE = 48_000
TICKER_TEXT = "GPU-QA DEMO - THE PICTURE BEHIND THIS TICKER HAS STOPPED - DO YOU SEE IT - "
TICKER_HEIGHT = 34


@dataclass(frozen=True)
class Fault:
    """Something wrong with the clip."""

    kind: str
    start_s: float
    end_s: float
    what: str

    def at(self, t_s: float) -> bool:
        """Whether it is there at this time."""
        return self.start_s <= t_s < self.end_s


FREEZE = Fault("video.freeze", 6, 10, "the picture stands still")
BLACK = Fault("video.black", 14, 17, "the picture is black")
BLUR = Fault("video.blur", 11, 13.2, "the picture goes out of focus at once")
SILENCE = Fault("audio.silence", 20, 24, "nobody is heard")
STUTTER = Fault("video.stutter", 24.48, 26.96, "every second picture repeats the one before")
TICKER_FREEZE = Fault("video.freeze", 30, 35, "the picture stands still under a running ticker")
LOSS = Fault("audio.channel_loss", 36, 39, "the right loudspeaker is silent")
GREEN = Fault("video.solid_color", 40, 43, "a decoder's green")
MISSING = Fault("audio.missing", 45.5, 49, "no sound is sent at all")
DAMAGE = Fault("video.block_corruption", 51, 51.6, "packets get lost on the way")
GAP = Fault("stream.gap", 55, 56.5, "nothing is sent at all")
FAULTS = (FREEZE, BLUR, BLACK, SILENCE, STUTTER, TICKER_FREEZE, LOSS, GREEN, MISSING, DAMAGE, GAP)
TICKER_S = (27.0, 38.0)


def main() -> int:
    """Make the clip, run the command on it, say where the report is."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "demo")
    folder.mkdir(parents=True, exist_ok=True)
    clip, report = folder / "clip.ts", folder / "report.html"
    print(f"Making {clip}: {SECONDS} s with these faults in it")
    for fault in FAULTS:
        print(f"  {fault.start_s:5.1f} to {fault.end_s:4.1f} s  {fault.what}")
    make_clip(clip)
    print(f"\n$ gpu-qa analyze {clip} --report {report}\n", flush=True)
    from gpu_qa.cli import main as gpu_qa

    try:
        gpu_qa(["analyze", str(clip), "--report", str(report)])
    except SystemExit as ending:
        if ending.code != 1:
            return 2
    print(f"\nThe report is {report.resolve()}; open it in a browser.")
    return 0


def make_clip(path: Path) -> None:
    """Write the clip as an MPEG transport stream."""
    scenes = [Scene(seed=1, dusk=False), Scene(seed=5, dusk=True)]
    sound = speech(seed=3)
    memory = io.BytesIO()
    with av.open(memory, "w", format="mpegts") as out:
        video: Any = out.add_stream("libx264", rate=FRAME_RATE, options={"preset": "superfast", "crf": "21"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.codec_context.gop_size = 2 * FRAME_RATE
        audio: Any = out.add_stream("aac", rate=SAMPLE_RATE, options={"b": "128k"})
        audio.layout = "stereo"
        heard = 0
        for index in range(SECONDS * FRAME_RATE):
            t_s = index / FRAME_RATE
            shown = index
            for freeze in (FREEZE, TICKER_FREEZE):
                if freeze.at(t_s):
                    shown = round(freeze.start_s * FRAME_RATE)
            if STUTTER.at(t_s):
                shown -= (index - round(STUTTER.start_s * FRAME_RATE)) % 2
            picture = scenes[1 if 18 <= t_s < 40 else 0].picture(shown)
            if BLACK.at(t_s):
                picture = flat(16, 128, 128)
            elif BLUR.at(t_s):
                picture[0] = blurred(picture[0], 6)
            elif GREEN.at(t_s):
                picture = flat(145, 54, 34)
            if TICKER_S[0] <= t_s < TICKER_S[1]:
                draw_ticker(picture, 3 * index)
            if not GAP.at(t_s):
                frame = av.VideoFrame.from_ndarray(packed(picture), "yuv420p")
                frame.pts, frame.time_base = index, Fraction(1, FRAME_RATE)
                out.mux(video.encode(frame))
            while heard + 1024 <= (index + 1) * SAMPLE_RATE // FRAME_RATE:
                heard_s = heard / SAMPLE_RATE
                block = sound[:, heard : heard + 1024] * (0.0 if SILENCE.at(heard_s) else 1.0)
                if LOSS.at(heard_s):
                    block = block * [[1.0], [0.0]]
                samples = av.AudioFrame.from_ndarray(np.ascontiguousarray(block, np.float32), "fltp", "stereo")
                samples.sample_rate, samples.pts, samples.time_base = SAMPLE_RATE, heard, Fraction(1, SAMPLE_RATE)
                packets = audio.encode(samples)
                if not MISSING.at(heard_s) and not GAP.at(heard_s):
                    out.mux(packets)
                heard += 1024
        out.mux(video.encode(None))
    path.write_bytes(without_some_packets(memory.getvalue()))


class Scene:
    """Hills before mountains under a sky, wider than the picture, and a balloon; planes are Y, Cb, Cr."""

    def __init__(self, seed: int, *, dusk: bool) -> None:
        rng = np.random.default_rng(seed)
        width = WIDTH + 1100
        rows = np.arange(HEIGHT)[:, None] / HEIGHT
        clouds = smooth(rng, HEIGHT, width, 90) * 0.6 + smooth(rng, HEIGHT, width, 30) * 0.4
        clouds = np.clip(clouds - 0.45, 0, 1) * 2 * (1 - rows)
        sky = [96 + 60 * rows + 110 * clouds, 150 - 20 * rows - 25 * clouds, 118 + 8 * rows + 8 * clouds]
        if dusk:
            sky = [52 + 110 * rows + 40 * clouds, 140 - 40 * rows, 126 + 44 * rows + 12 * clouds]
        ridge = 0.5 + 0.2 * (smooth(rng, 1, width, 160) - 0.5) + 0.1 * (smooth(rng, 1, width, 40) - 0.5)
        grain = 0.6 * smooth(rng, HEIGHT, width, 22) + 0.4 * smooth(rng, HEIGHT, width, 8)
        far = rows > ridge
        stone = [70 + 50 * grain + 20 * rows, 134 - 4 * grain, 126 - 2 * grain]
        edge = 0.7 + 0.16 * (smooth(rng, 1, width, 120) - 0.5) + 0.04 * (smooth(rng, 1, width, 9) - 0.5)
        self.near_mask = rows > edge
        grass = rng.normal(0, 9, (HEIGHT, width)) + 46 * smooth(rng, HEIGHT, width, 14)
        light = 0.65 if dusk else 1.0
        near = [light * (50 + grass + 30 * rows), 112 - 6 * grain, 116 + 4 * grain]
        self.far = codes([np.where(far, light * stone[0], sky[0]), *(np.where(far, stone[i], sky[i]) for i in (1, 2))])
        self.near = codes(near)
        self.noise = rng.normal(0, 1.6, (9, HEIGHT, WIDTH)).astype(np.int16)

    def picture(self, index: int) -> list[np.ndarray]:
        """The picture of this number: luma full size, chroma at half of it."""
        x_far = int(0.4 * index + 4 * np.sin(index / 17)) % 1000 // 2 * 2
        x_near = int(1.4 * index + 5 * np.sin(index / 13)) % 1000 // 2 * 2
        planes = []
        for plane, (near, far) in enumerate(zip(self.near, self.far, strict=True)):
            step = 2 if plane else 1
            mask = self.near_mask[::step, x_near : x_near + WIDTH : step]
            ahead, behind = (side[::step, x : x + WIDTH : step] for side, x in ((near, x_near), (far, x_far)))
            planes.append(np.where(mask, ahead, behind))
        draw_balloon(planes, (2.1 * index) % (WIDTH + 160) - 30, 110 + 36 * np.sin(index / 40))
        planes[0] = np.clip(planes[0] + self.noise[index % 9], 16, 235).astype(np.uint8)
        return planes


def draw_balloon(planes: list[np.ndarray], x: float, y: float) -> None:
    """A striped balloon with its basket, centred at x, y."""
    for plane, (one, other, basket) in zip(planes, ((96, 200, 60), (100, 112, 116), (208, 134, 140)), strict=True):
        step = WIDTH // plane.shape[1]
        left, top = max(0, int(x - 50) // step), max(0, int(y - 60) // step)
        part = plane[top : int(y + 90) // step, left : max(0, int(x + 50)) // step]
        rows, columns = np.ogrid[: part.shape[0], : part.shape[1]]
        across, down = ((columns + left) * step - x) / 44.0, ((rows + top) * step - y) / 52.0
        stripes = np.sin(9 * np.arcsin(np.clip(across / np.sqrt(np.clip(1 - down**2, 0.05, 1)), -1, 1))) > 0
        shade = 1 - 0.35 * np.clip(across + down, 0, 1) if step == 1 else 1.0
        inside = across**2 + down**2 < 1
        part[inside] = (np.where(stripes, one, other) * shade)[inside]
        part[(np.abs(across) < 0.2) & (np.abs(down - 1.38) < 0.15)] = basket


def draw_ticker(planes: list[np.ndarray], shift: int) -> None:
    """A white line of text that runs to the left over a dark strip at the bottom."""
    for plane, code in zip(planes, (28, 132, 124), strict=True):
        plane[-TICKER_HEIGHT * plane.shape[0] // HEIGHT :] = code
    strip = planes[0][-TICKER_HEIGHT:]
    text = np.roll(ticker(), -shift, axis=1)
    while text.shape[1] < WIDTH:
        text = np.concatenate([text, text], axis=1)
    top = (TICKER_HEIGHT - text.shape[0]) // 2
    strip[top : top + text.shape[0]][text[:, :WIDTH]] = 225


@cache
def ticker() -> np.ndarray:
    """The ticker's text as bool [21, N], five by seven dots a letter."""
    glyphs = dict(zip(" -ABCDEGHIKMNOPQRSTUY", FONT.split(), strict=True))
    letters = []
    for letter in TICKER_TEXT:
        rows = np.array(
            [[int(glyphs[letter][2 * r : 2 * r + 2], 16) >> b & 1 for b in range(5, -1, -1)] for r in range(7)]
        )
        letters.append(np.kron(rows, np.ones((3, 3), int)))
    return np.concatenate(letters, axis=1).astype(bool)


FONT = """
00000000000000 0000000E000000 0E11111F111111 1E11111E11111E 0E11101010110E 1E11111111111E 1F10101E10101F
0E11101711110F 1111111F111111 0E04040404040E 11121418141211 111B1515111111 11191513111111 0E11111111110E 1E11111E101010
0E11111115120D 1E11111E141211 0F10100E01011E 1F040404040404 1111111111110E 11110A04040404
"""


def flat(*levels: int) -> list[np.ndarray]:
    """A picture of one colour."""
    shapes = ((HEIGHT, WIDTH), (HEIGHT // 2, WIDTH // 2), (HEIGHT // 2, WIDTH // 2))
    return [np.full(shape, code, np.uint8) for shape, code in zip(shapes, levels, strict=True)]


def packed(planes: list[np.ndarray]) -> np.ndarray:
    """The planes one below the other, as PyAV wants them."""
    return np.concatenate([plane.reshape(-1, WIDTH) for plane in planes])


def blurred(plane: np.ndarray, radius: int) -> np.ndarray:
    """The mean of the samples around each, down to `radius` away to all sides."""
    width = 2 * radius + 1
    for axis in (0, 1):
        edges = [(radius + 1, radius) if side == axis else (0, 0) for side in (0, 1)]
        sums = np.cumsum(np.pad(plane.astype(np.float64), edges, mode="edge"), axis=axis)
        ahead, behind = (np.take(sums, range(at, at + plane.shape[axis]), axis) for at in (width, 0))
        plane = (ahead - behind) / width
    return plane.astype(np.uint8)


def codes(planes: list[np.ndarray]) -> list[np.ndarray]:
    """Code values 16 to 240 of any numbers."""
    return [np.clip(plane, 16, 240).astype(np.uint8) for plane in planes]


def smooth(rng: np.random.Generator, height: int, width: int, cell: int) -> np.ndarray:
    """Noise 0 to 1 that changes over `cell` samples: a coarse grid, blended."""
    grid = rng.random((height // cell + 2, width // cell + 2))
    y, x = np.arange(height)[:, None] / cell, np.arange(width)[None] / cell
    i, j = y.astype(int), x.astype(int)
    v, u = (1 - np.cos(np.pi * (y - i))) / 2, (1 - np.cos(np.pi * (x - j))) / 2
    upper = grid[i, j] * (1 - u) + grid[i, j + 1] * u
    lower = grid[i + 1, j] * (1 - u) + grid[i + 1, j + 1] * u
    return np.asarray(upper * (1 - v) + lower * v)


def speech(seed: int) -> np.ndarray:
    """Somebody who talks, float32 [2, N]: syllables of a pulse train under two formants, over the noise of a room."""
    rng = np.random.default_rng(seed)
    count = SECONDS * SAMPLE_RATE
    t_s = np.arange(count) / SAMPLE_RATE
    knots_s = np.arange(0, SECONDS + 1, 0.22)
    open_mouth = rng.uniform(0.5, 1.0, len(knots_s)) * (rng.random(len(knots_s)) > 0.18)
    syllable = np.interp(t_s, knots_s, open_mouth) * (0.25 + 0.75 * np.sin(np.pi * t_s / 0.22) ** 2)
    pitch_hz = np.interp(t_s, knots_s, rng.uniform(105, 165, len(knots_s)))
    formants_hz = [np.interp(t_s, knots_s, rng.uniform(*span, len(knots_s))) for span in ((320, 820), (1000, 2300))]
    phase = 2 * np.pi * np.cumsum(pitch_hz) / SAMPLE_RATE
    voice = np.zeros(count)
    for harmonic in range(1, 21):
        hz = harmonic * pitch_hz
        gain = sum(1 / (1 + ((hz - formant_hz) / 130) ** 2) for formant_hz in formants_hz)
        voice += np.sin(harmonic * phase) * (gain + 0.04) / np.sqrt(harmonic)
    room = rng.normal(0, 0.003, (2, count))
    return np.asarray(0.16 * voice * syllable + room, np.float32)


def without_some_packets(stream: bytes) -> bytes:
    """The transport stream without every twelfth packet of the picture while `DAMAGE` lasts."""
    kept = bytearray()
    first_pts: int | None = None
    now_s, seen, video_pid = 0.0, 0, 0x100  # FFmpeg's muxer numbers its elementary streams from 0x100 on.
    for at in range(0, len(stream), 188):
        packet = stream[at : at + 188]
        if (packet[1] & 0x1F) << 8 | packet[2] == video_pid:
            payload = 4 + (1 + packet[4] if packet[3] & 0x20 else 0)
            if packet[1] & 0x40:  # A picture begins here, with its timestamp (ISO/IEC 13818-1, 2.4.3.7).
                a, b, c, d, e = packet[payload + 9 : payload + 14]
                pts = (a >> 1 & 7) << 30 | b << 22 | c >> 1 << 15 | d << 7 | e >> 1
                first_pts = pts if first_pts is None else first_pts
                now_s = (pts - first_pts) / 90_000
            seen += 1
            if DAMAGE.at(now_s) and seen % 12 == 0:
                continue
        kept += packet
    return bytes(kept)


if __name__ == "__main__":
    sys.exit(main())
