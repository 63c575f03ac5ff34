"""SRT, which PyAV's libavformat does not speak: Debian's `srt-live-transmit` receives it and writes it to a pipe."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import threading
import weakref
from collections import deque

from gpu_qa.errors import SourceError
from gpu_qa.sources.feed import PipeFeed

COMMAND = "srt-live-transmit"
_GRACE_S = 1.0
"""How long the child is given to end by itself before it is killed."""
_CONNECTED = "SRT source connected"
# `20:25:34.948185/SRT:RcvQ:w1!W:SRT.cn: processAsyncConnectRequest: REJECT …: Incorrect passphrase - not …`
_STAMP = re.compile(r"^[\d:.]+/\S+\s*")
_NOISE = ("Media path:", _CONNECTED, "SRT source disconnected")


class SrtFeed(PipeFeed):
    """The bytes of an SRT connection, received by a child process that ends with this object."""

    def __init__(self, url: str, name: str) -> None:
        """Start receiving.

        Raises:
            SourceError: The program that receives is not installed, or cannot be started.
        """
        command = shutil.which(COMMAND)
        if command is None:
            raise SourceError(
                f"{name}: SRT needs the program {COMMAND}, which is missing here. On Debian and Ubuntu: "
                "apt install srt-tools"
            )
        try:
            # One connection, no reconnecting in there: whether to try again is for whoever watches the stream.
            self._child = subprocess.Popen(
                [command, "-autoreconnect:no", "-loglevel:warn", url, "file://con"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except OSError as error:
            raise SourceError(f"{name}: {COMMAND} cannot be started: {error}.") from error
        # Whatever becomes of this object, also at the interpreter's exit, no child stays behind.
        self._reap = weakref.finalize(self, _reap, self._child)
        self._words: deque[str] = deque(maxlen=20)
        self._connected = False
        self._listener = threading.Thread(target=self._listen, name="srt-words", daemon=True)
        self._listener.start()
        out = self._child.stdout
        if out is None:  # pragma: no cover - PIPE was asked for
            raise SourceError(f"{name}: {COMMAND} has no output.")
        super().__init__(name, out.fileno())

    def _listen(self) -> None:
        err = self._child.stderr
        if err is None:  # pragma: no cover - PIPE was asked for
            return
        with contextlib.suppress(ValueError, OSError):
            for line in iter(err.readline, b""):
                words = _STAMP.sub("", line.decode("utf-8", "replace").strip())
                self._connected = self._connected or words.startswith(_CONNECTED)
                if words and not words.startswith(_NOISE):
                    self._words.append(words)

    def _at_end(self) -> None:
        if self.failure:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(_GRACE_S)
        self._listener.join(_GRACE_S)
        reason = " ".join(list(self._words)[-3:])
        if not self._connected:
            self.failure = SourceError(
                f"{self._name}: no SRT connection: {reason or 'nobody answered'}. Check address, port, mode (caller or "
                "listener, the other one than the peer's) and passphrase."
            )
        elif self._child.returncode:
            self.failure = SourceError(f"{self._name}: the SRT connection broke: {reason or 'no reason given'}.")

    def close(self) -> None:
        """End the child and release the pipe."""
        self._reap()
        self._listener.join(_GRACE_S)
        super().close()
        for stream in (self._child.stdout, self._child.stderr):
            if stream:
                stream.close()


def _reap(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
