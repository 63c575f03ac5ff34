"""All faults that can be planted: the one list that the command, the documentation and the benchmark share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpu_qa.config import known_detectors, unknown
from gpu_qa.errors import ConfigError
from gpu_qa.inject import coded, damaged, fields, filled, flashing, held, leveled, shifted, soiled, transport
from gpu_qa.inject.fault import Case, Fault, Option, Planting, Strength, defaults

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gpu_qa.inject.fault import OptionValue


def _levels(*strengths: float, **options: OptionValue) -> tuple[Case, ...]:
    return tuple(Case(strength, options) for strength in strengths)


_CHANNEL = Option("channel", "which one, counted from 0", 1.0, low=0.0, high=15.0)

_PICTURE_FAULTS = (
    Fault(
        name="freeze",
        kind="video.freeze",
        stage="pictures",
        summary="the picture stands still",
        make=held.Freeze,
    ),
    Fault(
        name="freeze_noisy",
        kind="video.freeze",
        stage="pictures",
        summary="the picture stands still under noise, as before an analogue leg",
        make=held.NoisyFreeze,
        strength=Strength("standard deviation of the noise", "8-bit codes", 0.0, 8.0, 0.7),
        cases=_levels(2.0, 0.7, 0.3),
    ),
    Fault(
        name="freeze_partial",
        kind="video.freeze",
        stage="pictures",
        summary="the picture stands still above a running ticker, which is there throughout the clip",
        make=held.PartialFreeze,
        strength=Strength("height of the ticker", "of the picture", 0.02, 0.5, 0.125),
        cases=_levels(0.2, 0.125, 0.06),
    ),
    Fault(
        name="black",
        kind="video.black",
        stage="pictures",
        summary="the picture is black, with a logo where one is asked for",
        make=filled.Black,
        strength=Strength("luma of the black", "% of full scale", 0.0, 20.0, 0.0),
        options=(Option("logo", "area of a logo in the corner, of the picture", 0.0, low=0.0, high=0.2),),
        cases=(Case(0.0, {"logo": 0.02}), Case(0.0, {"logo": 0.005}), Case(7.0), Case(0.0)),
    ),
    Fault(
        name="solid_color",
        kind="video.solid_color",
        stage="pictures",
        summary="one colour fills the picture",
        make=filled.SolidColor,
        strength=Strength("standard deviation of noise on it", "8-bit codes", 0.0, 8.0, 0.0),
        options=(Option("color", "which one", "green", tuple(filled.COLORS)),),
        cases=(
            Case(2.0, {"color": "grey"}),
            Case(0.0, {"color": "grey"}),
            Case(0.0, {"color": "white"}),
            Case(0.0, {"color": "green"}),
        ),
    ),
    Fault(
        name="color_loss",
        kind="video.color_loss",
        stage="pictures",
        summary="the colour goes away",
        make=filled.ColorLoss,
        strength=Strength("what is lost", "of the colour", 0.05, 1.0, 1.0),
        cases=_levels(0.7, 0.9, 1.0),
    ),
    Fault(
        name="test_pattern",
        kind="video.test_pattern",
        stage="pictures",
        summary="colour bars fill the picture",
        make=filled.Bars,
        options=(Option("pattern", "which bars", "ebu75", ("ebu75", "ebu100", "smpte")),),
        cases=tuple(Case(None, {"pattern": pattern}) for pattern in ("smpte", "ebu100", "ebu75")),
    ),
    Fault(
        name="block_corruption",
        kind="video.block_corruption",
        stage="pictures",
        summary="blocks of the picture are displaced, grey, green or smeared",
        make=damaged.Blocks,
        strength=Strength("blocks that are damaged", "of the picture's", 0.001, 1.0, 0.08),
        options=(
            Option("look", "what they show", "displaced", ("displaced", "grey", "green", "smeared")),
            Option("side", "of a block, luma samples", 16.0, low=8.0, high=64.0),
            Option("hold", "pictures until other blocks are damaged", 3.0, low=1.0, high=250.0),
        ),
        cases=(
            Case(0.03, {"look": "grey"}),
            Case(0.03, {"look": "green"}),
            Case(0.03, {"look": "smeared"}),
            *_levels(0.01, 0.03, 0.08, 0.2),
        ),
    ),
    Fault(
        name="blockiness",
        kind="video.blockiness",
        stage="pictures",
        summary="coarse compression, on a grid of 8 samples, or a larger one where the picture is enlarged afterwards",
        make=damaged.Blockiness,
        strength=Strength("quantiser scale of MPEG-2", "1", 1.0, 112.0, 40.0),
        options=(Option("enlarge", "the picture afterwards, so many times", 1.0, low=1.0, high=4.0),),
        cases=(Case(48.0, {"enlarge": 1.5}), Case(48.0, {"enlarge": 2.0}), *_levels(12.0, 24.0, 48.0, 96.0)),
    ),
    Fault(
        name="blur",
        kind="video.blur",
        stage="pictures",
        summary="everything is out of focus",
        make=damaged.Blur,
        strength=Strength("radius", "% of the picture's height", 0.05, 20.0, 1.2),
        cases=_levels(0.3, 0.6, 1.2, 2.4),
    ),
    Fault(
        name="stutter",
        kind="video.stutter",
        stage="pictures",
        summary="pictures are not shown: the one before is repeated, or they are dropped and it stays longer",
        make=held.Stutter,
        strength=Strength("pictures that are not shown", "of all", 0.02, 0.9, 0.5),
        options=(Option("how", "what happens", "repeat", ("repeat", "drop")),),
        cases=(*_levels(0.2, 0.5, how="drop"), *_levels(0.1, 0.2, 0.34, 0.5)),
    ),
    Fault(
        name="loop",
        kind="video.loop",
        stage="pictures",
        summary="the stretch's beginning is played again and again",
        make=held.Loop,
        strength=Strength("length of what repeats", "s", 0.08, 10.0, 1.0),
        cases=_levels(2.0, 1.0, 0.4),
    ),
    Fault(
        name="flash",
        kind="video.flash",
        stage="pictures",
        summary="an area flashes",
        make=flashing.Flash,
        strength=Strength("flashes", "per s", 0.5, 25.0, 5.0),
        options=(
            Option("area", "of the picture", 1.0, low=0.01, high=1.0),
            Option("contrast", "between dark and bright, of full scale", 1.0, low=0.02, high=1.0),
            Option("color", "of the bright phase", "white", ("white", "red")),
        ),
        cases=(
            Case(5.0, {"area": 0.3}),
            Case(5.0, {"contrast": 0.6}),
            Case(5.0, {"color": "red"}),
            *_levels(4.0, 5.0, 8.0),
        ),
    ),
    Fault(
        name="combing",
        kind="video.interlacing",
        stage="pictures",
        summary="every second line shows an earlier picture, in a progressive stream",
        make=fields.Combing,
        strength=Strength("how much earlier", "pictures", 1.0, 8.0, 1.0),
        cases=_levels(1.0, 2.0),
    ),
    Fault(
        name="field_order",
        kind="video.interlacing",
        stage="pictures",
        summary="fields are shown in the wrong order; the stream is coded as interlaced, top field first",
        make=fields.FieldOrder,
        strength=Strength("how much earlier the second field is", "pictures", 1.0, 8.0, 1.0),
        cases=_levels(1.0),
    ),
    Fault(
        name="letterbox",
        kind="stream.format_change",
        stage="pictures",
        summary="black bars cover the picture's edges",
        make=filled.Letterbox,
        strength=Strength("area of both bars", "of the picture", 0.02, 0.8, 0.25),
        options=(Option("where", "the bars are", "above and below", ("above and below", "sides")),),
        cases=(Case(0.25, {"where": "sides"}), *_levels(0.1, 0.25)),
    ),
)

_SOUND_FAULTS = (
    Fault(
        name="silence",
        kind="audio.silence",
        stage="sound",
        summary="no sound but noise of a level",
        make=leveled.Silence,
        strength=Strength("level of the noise that is left, −120 is none", "dBFS", -150.0, -30.0, -120.0),
        cases=_levels(-64.0, -75.0, -120.0),
    ),
    Fault(
        name="channel_loss",
        kind="audio.channel_loss",
        stage="sound",
        summary="one channel is turned down or gone",
        make=leveled.ChannelLoss,
        needs_channels=2,
        strength=Strength("by how much, from 120 on entirely", "dB", 1.0, 150.0, 120.0),
        options=(_CHANNEL,),
        cases=_levels(20.0, 40.0, 120.0),
    ),
    Fault(
        name="phase_inversion",
        kind="audio.phase_inversion",
        stage="sound",
        summary="the second channel is turned over, or is the first one turned over",
        make=leveled.PhaseInversion,
        needs_channels=2,
        options=(Option("source", "which channel the second one is made of", "right", ("right", "left")),),
        cases=(Case(None, {"source": "right"}), Case(None, {"source": "left"})),
    ),
    Fault(
        name="dual_mono",
        kind="audio.dual_mono",
        stage="sound",
        summary="the first channel is heard from the second one too",
        make=leveled.DualMono,
        needs_channels=2,
    ),
    Fault(
        name="dc_offset",
        kind="audio.dc_offset",
        stage="sound",
        summary="a constant is added to all samples",
        make=leveled.Offset,
        strength=Strength("the constant", "of full scale", -0.9, 0.9, 0.05),
        cases=_levels(0.01, 0.03, 0.1),
    ),
    Fault(
        name="clipping",
        kind="audio.clipping",
        stage="sound",
        summary="driven above full scale and cut off",
        make=soiled.Clipping,
        needs_level=True,
        strength=Strength("how far the loudest peak is driven above it", "dB", 0.5, 40.0, 12.0),
        options=(Option("ceiling", "turned down to it afterwards, dBFS", 0.0, low=-40.0, high=0.0),),
        cases=(Case(12.0, {"ceiling": -6.0}), *_levels(6.0, 12.0, 20.0)),
    ),
    Fault(
        name="wrap",
        kind="audio.distortion",
        stage="sound",
        summary="driven above full scale and wrapped around, as integers do",
        make=soiled.Wrap,
        needs_level=True,
        strength=Strength("how far the loudest peak is driven above it", "dB", 0.5, 40.0, 6.0),
        cases=_levels(3.0, 6.0, 12.0),
    ),
    Fault(
        name="bits",
        kind="audio.distortion",
        stage="sound",
        summary="only the uppermost bits of each sample are left",
        make=soiled.Bits,
        strength=Strength("what is left", "bits", 2.0, 14.0, 5.0),
        cases=_levels(7.0, 5.0, 4.0),
    ),
    Fault(
        name="dropout",
        kind="audio.dropout",
        stage="sound",
        summary="short holes, empty or filled with what came before",
        make=soiled.Dropout,
        strength=Strength("mean length of a hole", "ms", 1.0, 500.0, 30.0),
        options=(
            Option("rate", "holes per second", 3.0, low=0.1, high=20.0),
            Option("fill", "what is heard", "zero", ("zero", "repeat")),
        ),
        cases=(*_levels(20.0, 40.0, fill="repeat"), *_levels(8.0, 20.0, 40.0)),
    ),
    Fault(
        name="click",
        kind="audio.click",
        stage="sound",
        summary="single steps out of the blue",
        make=soiled.Click,
        strength=Strength("their height", "of full scale", 0.01, 1.0, 0.4),
        options=(Option("rate", "clicks per second", 2.0, low=0.1, high=50.0),),
        cases=_levels(0.1, 0.3, 0.6),
    ),
    Fault(
        name="stuck",
        kind="audio.stuck",
        stage="sound",
        summary="a buffer plays again and again, or the last sample of some height stays",
        make=soiled.Stuck,
        strength=Strength("length of the buffer, 0 is one sample", "ms", 0.0, 1000.0, 20.0),
        needs_level=True,
        cases=_levels(200.0, 20.0, 0.0),
    ),
    Fault(
        name="hum",
        kind="audio.hum",
        stage="sound",
        summary="mains hum with its 2nd, 3rd and 5th harmonics",
        make=soiled.Hum,
        strength=Strength("its level", "dBFS", -80.0, -6.0, -32.0),
        options=(Option("frequency", "of the mains, Hz", 50.0, low=16.0, high=400.0),),
        cases=(Case(-40.0, {"frequency": 60.0}), *_levels(-50.0, -40.0, -30.0)),
    ),
    Fault(
        name="hiss",
        kind="audio.hiss",
        stage="sound",
        summary="white noise",
        make=soiled.Hiss,
        strength=Strength("its level", "dBFS", -80.0, -6.0, -40.0),
        cases=_levels(-50.0, -40.0, -30.0),
    ),
    Fault(
        name="loudness",
        kind="audio.loudness",
        stage="sound",
        summary="louder or softer, with peaks kept below −1 dBFS",
        make=leveled.Loudness,
        strength=Strength("the change", "dB", -40.0, 30.0, 10.0),
        cases=_levels(-20.0, 10.0, 20.0),
    ),
    Fault(
        name="true_peak",
        kind="audio.true_peak",
        stage="sound",
        summary="bursts of a tone whose samples stay 3 dB below the peaks between them",
        make=leveled.TruePeak,
        strength=Strength("the true peak", "dBTP", -6.0, 2.9, 1.0),
        cases=_levels(0.0, 1.0, 2.5),
    ),
)

_STREAM_FAULTS = (
    Fault(
        name="packet_loss",
        kind="video.block_corruption",
        stage="packets",
        summary="coded pictures, other than key frames, arrive with wrong bytes or without some of their slices",
        make=coded.PacketLoss,
        needs_slices=True,
        strength=Strength("pictures that are hit", "of all", 0.005, 1.0, 0.25),
        options=(Option("how", "what happens", "bytes", ("bytes", "slices")),),
        cases=(Case(0.25, {"how": "slices"}), *_levels(0.05, 0.25)),
    ),
    Fault(
        name="transport_loss",
        kind="video.block_corruption",
        stage="transport",
        summary="packets of the transport stream are lost; its continuity counter shows it",
        make=transport.TransportLoss,
        strength=Strength("the picture's packets that are lost", "of all", 0.0005, 0.9, 0.02),
        cases=_levels(0.005, 0.02, 0.1),
    ),
    Fault(
        name="missing",
        kind="audio.missing",
        stage="packets",
        summary="the sound does not arrive while the picture goes on",
        make=coded.Missing,
    ),
    Fault(
        name="gap",
        kind="stream.gap",
        stage="packets",
        summary="nothing arrives while the clock runs on",
        make=coded.Missing,
        options=(Option("track", "what does not arrive", "both", ("both", "video", "audio")),),
        cuts=True,
    ),
    Fault(
        name="discontinuity",
        kind="stream.discontinuity",
        stage="transport",
        summary="time stamps and clock reference of the transport stream jump",
        make=transport.Discontinuity,
        strength=Strength("the jump; negative is back", "s", -90_000.0, 90_000.0, 60.0),
        cases=_levels(-2.0, 60.0),
        instant=True,
    ),
    Fault(
        name="av_offset",
        kind="av.offset",
        stage="sound",
        summary="the sound is early against the picture, throughout the clip",
        make=shifted.Shift,
        moves=True,
        strength=Strength("how early; negative is late", "s", -5.0, 5.0, 0.2),
        cases=_levels(-0.2, 0.2),
        whole=True,
    ),
    Fault(
        name="av_drift",
        kind="av.drift",
        stage="sound",
        summary="the sound becomes earlier and earlier against the picture, throughout the clip",
        make=shifted.Drift,
        moves=True,
        strength=Strength("by how much; negative is later", "ms per minute", -5000.0, 5000.0, 200.0),
        cases=_levels(500.0),
        whole=True,
    ),
)

FAULTS: Mapping[str, Fault] = {fault.name: fault for fault in (*_PICTURE_FAULTS, *_SOUND_FAULTS, *_STREAM_FAULTS)}
"""Every fault by its name: those of the picture, of the sound, of the stream."""


def parse_planting(text: str, base: Planting | None = None, *, strength: float | None = None) -> Planting:
    """Read `NAME[:key=value[,key=value…]]`, as the command's `--fault` has it.

    Args:
        text: The keys are `strength`, `start`, `duration`, `seed`, and the fault's own options.
        base: Where start, duration and seed come from when the text does not say them.
        strength: Of a fault that has one, when the text does not say it; null is the fault's own.

    Raises:
        ConfigError: An unknown fault or key, or a value that is not allowed.
    """
    name, _, rest = text.strip().partition(":")
    fault = FAULTS.get(name)
    if fault is None:
        raise ConfigError(unknown("fault", name, FAULTS))
    given: dict[str, str] = {}
    for part in (part.strip() for part in rest.replace(":", ",").split(",")):
        key, sign, value = part.partition("=")
        if not part:
            continue
        if not sign:
            raise ConfigError(f"{text}: {part!r} must be key=value")
        given[key.strip()] = value.strip()
    known = [*(("strength",) if fault.strength else ()), "start", "duration", "seed", *(o.name for o in fault.options)]
    for key in given:
        if key == "strength" and not fault.strength:
            raise ConfigError(f"{text}: {fault.name} has no strength")
        if key not in known:
            raise ConfigError(f"{text}: {unknown('key', key, known)}")
    start = base if base is not None else Planting(fault)
    seed = given.get("seed", str(start.seed))
    if not seed.isdecimal():
        raise ConfigError(f"{text}: seed={seed}: must be a whole number, 0 or more")
    return planting(
        fault,
        strength=_number(text, "strength", given["strength"]) if "strength" in given else strength,
        start_s=_number(text, "start", given["start"]) if "start" in given else start.start_s,
        duration_s=_number(text, "duration", given["duration"]) if "duration" in given else start.duration_s,
        seed=int(seed),
        options={option.name: _option(text, option, given[option.name]) for option in fault.options
                 if option.name in given},
    )  # fmt: skip


def planting(
    fault: Fault,
    *,
    strength: float | None = None,
    start_s: float = 3.0,
    duration_s: float = 4.0,
    seed: int = 1,
    options: Mapping[str, OptionValue] | None = None,
) -> Planting:
    """A fault that is to be planted, with everything that is not given as it is by default.

    Raises:
        ConfigError: A value is out of its range.
    """
    if not 0 <= start_s < float("inf") or not 0 < duration_s < float("inf"):
        raise ConfigError(f"{fault.name}: start must be 0 or more and duration more than 0 seconds")
    allowed = fault.strength
    chosen = 0.0
    if allowed is not None:
        chosen = allowed.default if strength is None else strength
        if not allowed.low <= chosen <= allowed.high:
            raise ConfigError(
                f"{fault.name}: strength {chosen:g}: must be {allowed.low:g} to {allowed.high:g} {allowed.unit}"
            )
    return Planting(fault, start_s, duration_s, chosen, seed, defaults(fault.options) | dict(options or {}))


def _option(text: str, option: Option, value: str) -> OptionValue:
    if option.choices:
        if value not in option.choices:
            raise ConfigError(f"{text}: {unknown(option.name, value, option.choices)}")
        return value
    number = _number(text, option.name, value)
    if not option.low <= number <= option.high:
        raise ConfigError(f"{text}: {option.name}={value}: must be {option.low:g} to {option.high:g}")
    return number


def _number(text: str, key: str, value: str) -> float:
    try:
        number = float(value.replace("−", "-"))
    except ValueError:
        number = float("nan")
    if number != number or abs(number) == float("inf"):
        raise ConfigError(f"{text}: {key}={value}: must be a number")
    return number


def is_told(fault: Fault) -> bool:
    """Whether a known detector tells events of the fault's kind."""
    return any(fault.kind in detector.kinds for detector in known_detectors().values())


def describe(fault: Fault) -> dict[str, object]:
    """A fault as JSON values."""
    allowed = fault.strength
    return {
        "fault": fault.name,
        "kind": fault.kind,
        "told": is_told(fault),
        "summary": fault.summary,
        "strength": None
        if allowed is None
        else {
            "what": allowed.what,
            "unit": allowed.unit,
            "low": allowed.low,
            "high": allowed.high,
            "default": allowed.default,
        },
        "options": [
            {
                "name": option.name,
                "what": option.what,
                "default": option.default,
                **({"choices": list(option.choices)} if option.choices else {"low": option.low, "high": option.high}),
            }
            for option in fault.options
        ],
        "whole_clip": fault.whole,
    }
