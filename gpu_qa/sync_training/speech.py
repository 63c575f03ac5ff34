"""Speech synthesised by the system's library espeak-ng, with the time of every phoneme."""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from gpu_qa.errors import GpuQaError

_SYNCHRONOUS, _PHONEME_EVENTS = 2, 1
_RATE, _PITCH = 1, 3
_UTF8, _ENDED = 1, 0
_PHONEME = 7
_ONSETS = ("p", "b", "m", "f", "v", "t", "d", "s", "k", "g", "l", "r", "n", "w", "h", "sh", "ch", "st", "br", "pl", "")
_VOWELS = ("a", "e", "i", "o", "u", "ee", "oo", "ai", "ow", "er", "ar", "ah")
_CODAS = ("", "", "m", "p", "b", "t", "n", "s", "l", "ng", "v", "f")
VOICES = ("en", "en-us", "de", "fr", "es", "it", "nl", "pl", "sv", "pt")
VARIANTS = ("", "+m1", "+m2", "+m3", "+m4", "+m5", "+m6", "+m7", "+f1", "+f2", "+f3", "+f4", "+f5")


@dataclass(frozen=True, slots=True)
class Speech:
    """What a synthesiser said."""

    samples: np.ndarray
    """float32 [n], full scale = 1."""
    rate: int
    """Hz."""
    phonemes: tuple[str, ...]
    """In espeak-ng's own spelling; "_" and "_:" are pauses."""
    starts_s: np.ndarray
    """float64 [P]: start of each."""


class _EventId(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    )


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@functools.cache
def _path() -> str:
    path = ctypes.util.find_library("espeak-ng")
    if path is None:
        raise GpuQaError("speech needs the library espeak-ng: on Debian, apt install espeak-ng")
    return path


class Voice:
    """A voice of espeak-ng, alone in its copy of the library.

    The library keeps waves, noise and pauses of what it said before, past its own end too; only what was loaded anew
    says the same thing the same way (that holds where the C library takes a library out of memory, as glibc does).
    """

    def __init__(self, name: str = "en") -> None:
        """Load it.

        Args:
            name: An espeak-ng voice, perhaps with a variant, such as "en+f2".

        Raises:
            GpuQaError: espeak-ng is not installed, or does not know the voice.
        """
        self._library = ctypes.CDLL(_path())
        # Its noise is the C library's.
        ctypes.CDLL(None).srand(1)
        self._rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, None, _PHONEME_EVENTS)
        self._pieces: list[np.ndarray] = []
        self._told: list[tuple[float, str]] = []
        self._callback = _CALLBACK(self._take)
        if self._rate <= 0:
            self._unload()
            raise GpuQaError("espeak-ng could not be initialised")
        self._library.espeak_SetSynthCallback(self._callback)
        if self._library.espeak_SetVoiceByName(name.encode()) != 0:
            self.close()
            raise GpuQaError(f"espeak-ng has no voice {name}")

    def __enter__(self) -> Self:
        """It says things until the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Unload the library: it says nothing any more."""
        self._library.espeak_Terminate()
        self._unload()

    def _unload(self) -> None:
        ctypes.CDLL(None).dlclose(ctypes.c_void_p(self._library._handle))  # noqa: SLF001

    def say(self, text: str, *, words_per_minute: int = 160, pitch: int = 50) -> Speech:
        """Say a text.

        Args:
            text: What to say.
            words_per_minute: 80 to 450.
            pitch: 0 to 100.
        """
        self._pieces.clear()
        self._told.clear()
        self._library.espeak_SetParameter(_RATE, words_per_minute, 0)
        self._library.espeak_SetParameter(_PITCH, pitch, 0)
        data = text.encode()
        self._library.espeak_Synth(data, len(data) + 1, 0, 0, 0, _UTF8, None, None)
        samples = np.concatenate(self._pieces) if self._pieces else np.zeros(0, np.float32)
        starts_s = np.array([at_s for at_s, _ in self._told])
        return Speech(samples, self._rate, tuple(phoneme for _, phoneme in self._told), starts_s)

    def _take(self, wave: Any, count: int, events: Any) -> int:
        if wave and count > 0:
            self._pieces.append(np.ctypeslib.as_array(wave, (count,)).astype(np.float32) / 32768)
        index = 0
        while events[index].type != _ENDED:
            if events[index].type == _PHONEME:
                phoneme = events[index].id.string.decode("utf-8", "replace")
                self._told.append((events[index].audio_position / 1000, phoneme))
            index += 1
        return 0


def pseudo_words(rng: np.random.Generator, count: int) -> str:
    """Words of no language, with pauses between phrases."""
    words = []
    for number in range(count):
        syllables = [rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(rng.integers(1, 4))]
        ends = number == count - 1 or rng.random() < 0.15
        words.append("".join(syllables) + (rng.choice([",", "."]) if ends else ""))
    return " ".join(words)


def talk(rng: np.random.Generator, seconds: float) -> Speech:
    """One voice that says phrases of no language, each at its own pace, with pauses and emphasis, for so long."""
    name = str(rng.choice(VOICES)) + str(rng.choice(VARIANTS))
    pace, pitch = rng.uniform(120, 200), rng.uniform(20, 80)
    pieces: list[np.ndarray] = []
    names: list[str] = []
    starts_s: list[np.ndarray] = []
    length, rate = 0, 0
    with Voice(name) as voice:
        while not rate or length < seconds * rate:
            phrase = voice.say(
                pseudo_words(rng, int(rng.integers(1, 9))),
                words_per_minute=int(pace * np.exp(rng.normal(0, 0.15))),
                pitch=int(np.clip(pitch + rng.normal(0, 8), 0, 99)),
            )
            rate = phrase.rate
            pause = np.zeros(int(rng.exponential(0.25) * rate), np.float32)
            names += [*phrase.phonemes, "_"]
            starts_s.append((length + np.append(phrase.starts_s * rate, len(phrase.samples))) / rate)
            pieces += [phrase.samples * np.float32(np.exp(rng.normal(0, 0.25))), pause]
            length += len(phrase.samples) + len(pause)
    return Speech(np.concatenate(pieces), rate, tuple(names), np.concatenate(starts_s))
