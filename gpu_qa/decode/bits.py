"""Bits: reads the bit fields of codec headers."""

from __future__ import annotations


class BitReader:
    """Reads bits from the most significant one down; past the end it reads zeros."""

    def __init__(self, data: bytes) -> None:
        self._bits = int.from_bytes(data, "big")
        self._length = 8 * len(data)
        self._at = 0

    @property
    def exhausted(self) -> bool:
        """More was read than there is."""
        return self._at > self._length

    def u(self, count: int) -> int:
        """Read an unsigned number of so many bits."""
        self._at += count
        left = self._length - self._at
        bits = self._bits >> left if left >= 0 else self._bits << -left
        return bits & ((1 << count) - 1)

    def flag(self) -> bool:
        """One bit."""
        return self.u(1) == 1

    def skip(self, count: int) -> None:
        """Leave out `count` bits."""
        self._at += count

    def ue(self) -> int:
        """An unsigned Exp-Golomb number (ITU-T H.264, 9.1); AV1's uvlc() is the same."""
        zeros = 0
        while not self.flag():
            zeros += 1
            if zeros > 32 or self.exhausted:
                return 0
        return (1 << zeros) - 1 + self.u(zeros)

    def se(self) -> int:
        """A signed Exp-Golomb number (ITU-T H.264, 9.1.1)."""
        value = self.ue()
        return (value + 1) // 2 if value & 1 else -(value // 2)
