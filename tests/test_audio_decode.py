"""Sound by libavcodec: exact scaling, names of channels, times, damage."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from av.audio.plane import AudioPlane

from gpu_qa.decode import DecodeSettings, open_decoder
from gpu_qa.decode.audio import AudioDecoder
from gpu_qa.errors import DecodeError
from gpu_qa.media import Decoded, Packet
from tests.clips import cached_clip
from tests.decode_harness import damaged, decode_all, merged, opened

if TYPE_CHECKING:
    from pathlib import Path

    from gpu_qa.media import AudioSamples


def sound_clip(name: str, **arguments: Any) -> Path:
    return cached_clip(name, **{"codec": None, "seconds": 1.0} | arguments)


def decoded(path: Path) -> Decoded:
    with opened(path, "audio") as (track, natives):
        return decode_all(AudioDecoder(track), track, natives)


def joined(sound: tuple[AudioSamples, ...]) -> np.ndarray:
    return np.concatenate([run.samples for run in sound], axis=1)


def raw_sound(sample_format: str, layout: str, samples: np.ndarray) -> AudioSamples:
    """Samples [C, N] of a format as the decoder hands them on."""
    packed = not sample_format.endswith("p")
    rows = samples.T.reshape(1, -1) if packed else samples
    frame = av.AudioFrame(sample_format, layout, samples.shape[1])
    for number, row in enumerate(rows):
        AudioPlane(frame, number).update(np.ascontiguousarray(row).tobytes())
    frame.sample_rate = 8000
    frame.pts = 5
    with opened(sound_clip("a.wav", audio="pcm_s16le"), "audio") as (track, _):
        (run,) = AudioDecoder(track)._sound([frame], [])
    return run


@pytest.mark.parametrize("planar", [True, False], ids=["planar", "packed"])
@pytest.mark.parametrize(
    ("sample_format", "dtype", "codes", "expected"),
    [
        ("u8", np.uint8, [0, 64, 128, 255], [-1.0, -0.5, 0.0, 127 / 128]),
        ("s16", np.int16, [-32768, -1, 0, 32767], [-1.0, -(2.0**-15), 0.0, 32767 / 32768]),
        ("s32", np.int32, [-(2**31), 256, 0, 2**30], [-1.0, 2.0**-23, 0.0, 0.5]),
        ("s64", np.int64, [-(2**63), 2**40, 0, 2**62], [-1.0, 2.0**-23, 0.0, 0.5]),
        ("flt", np.float32, [-1.5, 0.25, 0.0, 1e-8], [-1.5, 0.25, 0.0, 1e-8]),
        ("dbl", np.float64, [-1.5, 0.25, 0.0, 1.0], [-1.5, 0.25, 0.0, 1.0]),
    ],
)
def test_scaling_is_exact(
    planar: bool, sample_format: str, dtype: Any, codes: list[float], expected: list[float]
) -> None:
    samples = np.array([codes, codes[::-1]]).astype(dtype) if dtype is not np.int64 else np.array([codes, codes[::-1]])
    run = raw_sound(sample_format + ("p" if planar else ""), "stereo", samples)
    assert run.samples.dtype == np.float32
    assert run.samples.flags.c_contiguous
    assert (run.channels, run.sample_rate, run.pts) == (("FL", "FR"), 8000, 5)
    np.testing.assert_array_equal(run.samples, np.array([expected, expected[::-1]], np.float32))


@pytest.mark.parametrize(
    ("layout", "names"),
    [
        ("mono", ("FC",)),
        ("stereo", ("FL", "FR")),
        ("5.1", ("FL", "FR", "FC", "LFE", "BL", "BR")),
        ("7.1", ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR")),
        ("1 channels", ("FC",)),
        ("2 channels", ("FL", "FR")),
        ("6 channels", ("FL", "FR", "FC", "LFE", "BL", "BR")),
        ("12 channels", tuple(map(str, range(12)))),
    ],
)
@pytest.mark.parametrize("sample_format", ["fltp", "flt"])
def test_channels_have_names(layout: str, names: tuple[str, ...], sample_format: str) -> None:
    samples = np.arange(len(names) * 10, dtype=np.float32).reshape(len(names), 10) / 256
    run = raw_sound(sample_format, layout, samples)
    assert run.channels == names
    np.testing.assert_array_equal(run.samples, samples)


@pytest.mark.parametrize(
    ("name", "codec", "tolerance"),
    [
        ("a.wav", "pcm_u8", 1 / 128),
        ("a.wav", "pcm_s16le", 1 / 32768),
        ("a.wav", "pcm_s24le", 1e-6),
        ("a.wav", "pcm_f32le", 0.0),
        ("a.flac", "flac", 1 / 32768),
        ("a.mkv", "aac", 0.1),
    ],
)
def test_sound_is_that_of_the_stream(name: str, codec: str, tolerance: float) -> None:
    path = sound_clip(name, audio=codec)
    with av.open(str(path)) as container:
        converted = av.AudioResampler("fltp")
        expected = np.concatenate(
            [part.to_ndarray() for frame in container.decode(audio=0) for part in converted.resample(frame)], axis=1
        )
    result = decoded(path)
    assert result.notes == ()
    got = joined(result.sound)
    assert got.shape == expected.shape
    assert got.shape[1] >= 48_000
    np.testing.assert_allclose(got, expected, atol=tolerance)


def test_a_packet_of_many_frames_is_one_run() -> None:
    with opened(sound_clip("a.wav", audio="pcm_s16le"), "audio") as (track, natives):
        decoder = AudioDecoder(track)
        frames = decoder._context.decode(natives[0])
        later = av.AudioFrame.from_ndarray(np.ones((1, 200), np.int16), "s16", frames[0].layout)
        later.sample_rate = 48_000
        later.pts = None
        (run,) = decoder._sound([*frames, later, later], [])
        (rest,) = decoder._sound([later], [])
    assert run.pts == 0
    assert run.samples.shape == (2, frames[0].samples + 200)
    # A frame without a time follows the one before it.
    assert rest.pts == run.samples.shape[1] * track.time_base.denominator // 48_000
    assert track.time_base == Fraction(1, 48_000)


def test_sound_without_any_time_has_none() -> None:
    with opened(sound_clip("a.ts", audio="mp2"), "audio") as (track, natives):
        fed = []
        for native in natives:
            packet = damaged(native, bytes(native))
            packet.pts = packet.dts = None
            fed.append(packet)
        result = decode_all(AudioDecoder(track), track, fed)
    assert {run.pts for run in result.sound} == {None}


@pytest.mark.parametrize("codec", ["ac3", "eac3", "flac"])
def test_checksums_are_looked_at(codec: str) -> None:
    with opened(sound_clip("a.mkv", audio=codec), "audio") as (track, natives):
        fed = list(natives)
        hit = (3, 5, 8)
        for at in hit:
            content = bytearray(bytes(natives[at]))
            content[len(content) * 2 // 3] ^= 0x10
            fed[at] = damaged(natives[at], bytes(content))
        result = decode_all(AudioDecoder(track), track, fed)
    assert [note.pts for note in result.notes] == [natives[at].pts for at in hit]
    assert {note.kind for note in result.notes} == {"decode_error"}
    assert {note.track for note in result.notes} == {"audio"}
    assert not any(note.details["before_first_key"] for note in result.notes)


def test_damage_never_raises() -> None:
    rng = np.random.default_rng(4)
    for codec in ("aac", "mp2", "ac3", "libopus", "flac"):
        with opened(sound_clip("a.mkv", audio=codec), "audio") as (track, natives):
            fed = [
                damaged(native, rng.bytes(len(bytes(native)))) if at % 3 == 1 else native
                for at, native in enumerate(natives)
            ]
            result = decode_all(AudioDecoder(track), track, fed)
        assert result.sound
        assert {note.kind for note in result.notes} <= {"decode_error", "format_change"}
        assert all(np.isfinite(run.samples).all() for run in result.sound)


def test_what_fails_before_the_first_sound_is_excused() -> None:
    with opened(sound_clip("a.ts", audio="mp2"), "audio") as (track, natives):
        fed = [damaged(natives[0], b"\x11" * 50), *natives[1:], damaged(natives[-1], b"\x11" * 50)]
        notes = decode_all(AudioDecoder(track), track, fed).notes
    assert [note.details["before_first_key"] for note in notes] == [True, False]
    assert {note.details["cause"] for note in notes} == {"refused"}


def test_a_track_that_gives_nothing_says_so() -> None:
    with opened(sound_clip("a.ts", audio="mp2"), "audio") as (track, natives):
        fed = [damaged(native, b"\x11" * 50) for native in natives]
        last = decode_all(AudioDecoder(track), track, fed).notes[-1]
    assert (last.details["cause"], last.pts) == ("nothing", None)
    assert last.message.endswith(f"none of {len(fed)} packets gave sound")


def test_a_new_rate_and_layout_are_told() -> None:
    before = sound_clip("a.ts", audio="mp2")
    after = sound_clip("a.ts", audio="mp2", sample_rate=32_000, layout="mono", start_s=5.0)
    with opened(before, "audio") as (track, first), opened(after, "audio") as (_, second):
        result = decode_all(AudioDecoder(track), track, [*first, *second])
    # libavcodec's decoder learns of the channels a frame before it does of the rate.
    channels, rate = result.notes
    assert channels.details == {"old": {"channels": ["FL", "FR"]}, "new": {"channels": ["FC"]}}
    assert rate.details == {"old": {"sample_rate": 48_000}, "new": {"sample_rate": 32_000}}
    assert [note.message for note in (channels, rate)] == [
        "sound changed: channels FL FR → FC",
        "sound changed: sample_rate 48000 → 32000",
    ]
    for note in result.notes:
        assert (note.kind, note.track) == ("format_change", "audio")
        assert note.pts is not None
        assert float(note.pts * track.time_base) == pytest.approx(5.0, abs=0.1)
    assert [run.channels for run in (result.sound[0], result.sound[-1])] == [("FL", "FR"), ("FC",)]


def test_draining_and_resetting() -> None:
    with opened(sound_clip("a.flac", audio="flac"), "audio") as (track, natives):
        decoder = AudioDecoder(track)
        assert (decoder.name, decoder.reason) == ("pyav flac", "")
        whole = decode_all(decoder, track, natives)
        assert decoder.drain() == Decoded()
        assert decoder.decode(Packet(track, None)) == Decoded()
        again = decode_all(decoder, track, natives)
        parts = []
        for native in natives:
            parts += [decoder.decode(Packet(track, av.Packet())), decoder.decode(Packet(track, native))]
        third = merged([*parts, decoder.decode(Packet(track, None))])
        decoder.close()
        decoder.close()
    np.testing.assert_array_equal(joined(again.sound), joined(whole.sound))
    np.testing.assert_array_equal(joined(third.sound), joined(whole.sound))


def test_a_decoder_that_does_not_open() -> None:
    with opened(sound_clip("a.mkv", audio="aac"), "audio") as (track, _):
        track.native.codec_context.extradata = b"\xff" * 9
        with pytest.raises(DecodeError, match="the aac decoder cannot be opened"):
            open_decoder(track)


def test_sound_decodes_on_the_cpu_whatever_the_device() -> None:
    with opened(sound_clip("a.mkv", audio="aac"), "audio") as (track, _):
        assert isinstance(open_decoder(track, DecodeSettings(device="cuda")), AudioDecoder)
