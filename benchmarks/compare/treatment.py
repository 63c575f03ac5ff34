"""What is done to copies, and how they are made by FFmpeg."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from benchmarks.compare.material import SECONDS, made, whole_sound

if TYPE_CHECKING:
    import random
    from pathlib import Path

__all__ = ["HARD", "LEADS", "SINGLE", "Lead", "Treatment", "combined", "copied", "hard_copied"]

OVER = {
    "letterbox": "scale=640:270,pad=640:360:0:45",
    "pillarbox": "scale=480:360,pad=640:360:80:0",
    "logo": "drawbox=x=500:y=24:w=96:h=54:color=white@0.8:t=fill,drawbox=x=0:y=310:w=640:h=50:color=blue:t=fill",
}
RATES = {"rate_25_50": ("25", "50"), "rate_2997_25": ("30000/1001", "25")}
"""Pictures per second of reference and copy."""
HARD = ("noise", "blur", "tiny", "grade", "blend", "mix", "cover", "short_4", "short_7")
SHORT_FROM_S = 3.0
"""Where a short one begins."""
Lead = Literal["black", "held", "other"]
"""What comes before the programme: black and silence, its first picture and silence, or another programme."""
LEADS: tuple[Lead, ...] = ("black", "held", "other")


@dataclass(frozen=True, slots=True)
class Treatment:
    """What is done to a copy, together."""

    ways: tuple[str, ...]
    """Of `quarter` (of the bit rate), `half` (the size), `OVER` and `RATES`."""

    @property
    def name(self) -> str:
        """The way, or `combined`."""
        return self.ways[0] if len(self.ways) == 1 else "combined"

    @property
    def rates(self) -> tuple[str, str] | None:
        """Pictures per second of reference and copy where they differ."""
        return next((RATES[way] for way in self.ways if way in RATES), None)


SINGLE = tuple(Treatment((way,)) for way in ("quarter", "half", *OVER, *RATES))


def combined(chance: random.Random) -> Treatment:
    """Two to four of them at once."""
    while True:
        kinds = (("quarter",), ("half",), tuple(OVER), tuple(RATES))
        ways = tuple(chance.choice(kind) for kind in kinds if chance.random() < 0.6)
        if len(ways) > 1:
            return Treatment(ways)


def copied(
    source: Path, other: Path, treatment: Treatment, lead: Lead, rate: float, delay_s: float, skew_s: float, work: Path
) -> Path | None:
    """Code a copy; null where that fails.

    Args:
        source: The reference.
        other: Another one, which may come before it.
        treatment: What is done to it.
        lead: What comes before it.
        rate: Pictures per second of the reference.
        delay_s: Of the picture, a whole number of pictures.
        skew_s: Delay of the picture less that of the sound.
        work: Where the copy is kept.
    """
    kbps = source.stat().st_size * 8 / SECONDS / 1000 - 160
    rate_kbps = max(30.0, kbps / 4) if "quarter" in treatment.ways else max(60.0, kbps * 0.7)
    # Bars and logos are measured in the reference's size.
    chains = [OVER[way] for way in treatment.ways if way in OVER]
    chains += ["scale=320:180"] if "half" in treatment.ways else []
    chains += [f"fps={treatment.rates[1]}"] if treatment.rates else []
    picture, sound = _picture_after(lead, rate, delay_s), _sound_after(lead, delay_s - skew_s)
    return made(
        work, f"copy-{treatment.name}", "-i", source, "-stream_loop", "-1", "-i", other, "-filter_complex",
        f"{picture},{','.join(chains) or 'null'}[v];{sound}[a]",
        "-map", "[v]", "-map", "[a]", "-c:v", "libx264", "-preset", "veryfast", "-b:v", f"{rate_kbps:.0f}k",
        "-c:a", "aac", "-b:a", "64k",
    )  # fmt: skip


def _picture_after(lead: Lead, rate: float, delay_s: float) -> str:
    count = round(delay_s * rate)
    if lead == "other" and count:
        before = f"[1:v]fps={rate:.9f},trim=end_frame={count},setpts=PTS-STARTPTS,setsar=1[l];[0:v]fps={rate:.9f}[p]"
        return f"{before};[l][p]concat=n=2:v=1:a=0"
    mode = "clone" if lead == "held" else "add"
    return f"[0:v]tpad=start={count}:start_mode={mode}"


def _sound_after(lead: Lead, delay_s: float) -> str:
    """Delay the sound, or advance it where the delay is negative."""
    count = round(delay_s * 48000)
    if count < 0:
        return f"[0:a]{whole_sound()},atrim=start_sample={-count},asetpts=PTS-STARTPTS"
    if lead == "other" and count:
        before = f"[1:a]{whole_sound()},atrim=end_sample={count},asetpts=PTS-STARTPTS[m];[0:a]{whole_sound()}[s]"
        return f"{before};[m][s]concat=n=2:v=0:a=1"
    return f"[0:a]{whole_sound()},adelay={count}S:all=1"


def hard_copied(
    source: Path, other: Path, way: str, rate: float, delay_s: float, skew_s: float, work: Path
) -> Path | None:
    """Code a copy that was treated worse; `other` is what is mixed in. A short one begins 3 s in."""
    pictures = {
        "noise": "noise=alls=30:allf=t",
        "blur": "boxblur=8",
        "tiny": "scale=96:54",
        "grade": "crop=608:342,scale=640:360,eq=gamma=1.6:contrast=0.7:saturation=0.3",
        "blend": "framerate=fps=30",
    }.get(way, "null")
    sound = _sound_after("black", delay_s - skew_s)
    picture = {"cover": "[1:v]scale=416:234[v1];[v0][v1]overlay=200:100:eof_action=pass[v]"}.get(way, "[v0]null[v]")
    mixed = {
        "noise": "anoisesrc=d=60:c=pink:a=0.1:r=48000:seed=1,aformat=channel_layouts=stereo[a1];"
        "[a0][a1]amix=inputs=2:duration=first:normalize=0[a]",
        "mix": "[1:a]volume=0.7[a1];[a0][a1]amix=inputs=2:duration=first:normalize=0[a]",
        "tiny": "[a0]aresample=16000,aformat=channel_layouts=mono[a]",
    }.get(way, "[a0]anull[a]")
    is_short = way.startswith("short")
    rates = ("25k", "16k") if way == "tiny" else ("400k", "64k")
    return made(
        work, f"copy-{way}", *(["-ss", f"{SHORT_FROM_S:g}"] if is_short else []), "-i", source, "-i", other,
        "-filter_complex",
        f"{_picture_after('black', rate, delay_s)},{pictures}[v0];{sound}[a0];{picture};{mixed}",
        "-map", "[v]", "-map", "[a]", *(["-t", way.partition("_")[2]] if is_short else []), "-c:v", "libx264",
        "-preset", "veryfast", "-b:v", rates[0], "-c:a", "aac", "-b:a", rates[1],
    )  # fmt: skip
