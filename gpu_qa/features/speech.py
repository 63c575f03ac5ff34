"""Bands of sound that speech moves in: samples → `AudioSeries.speech`, by the kernel `speech_bands`."""

from __future__ import annotations

import numpy as np

from gpu_qa_kernels.speech_bands import speech_bands, window_length


class SpeechBands:
    """Measures one track; remembers as many samples as a window reaches back."""

    def __init__(self) -> None:
        self._before = np.zeros(0, np.float32)

    def add(self, samples: np.ndarray, edges: np.ndarray, rate: int) -> np.ndarray:
        """Bands of the hops between `edges`, float32 [T, 12], in windows that end with each hop.

        Args:
            samples: float32 [C, n], which follow on those before.
            edges: int64 [T + 1]: first sample of each hop, and the end of the last.
            rate: Hz.
        """
        length = window_length(rate)
        mono = np.asarray(samples[:, : edges[-1]].mean(axis=0), np.float32)
        silence = np.zeros(max(length - len(self._before), 0), np.float32)
        joined = np.concatenate([silence, self._before, mono])
        self._before = joined[-length:].copy()
        return speech_bands(joined, edges[1:] + length, rate)

    def forget(self) -> None:
        """A gap: what follows does not go on from what was."""
        self._before = np.zeros(0, np.float32)
