"""Addresses of inputs, and the one list of protocols that inputs may be reached by."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from gpu_qa.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Collection


@dataclass(frozen=True, slots=True)
class Protocol:
    """What an input of one protocol may reach, and what is known of it before it is opened."""

    reaches: tuple[str, ...]
    """Protocols of `PROTOCOLS` that a playlist fetched by this one may name."""
    carriers: tuple[str, ...]
    """libavformat's protocols underneath."""
    live: bool | None = None
    """Whether inputs of this protocol are live; null where only the input itself can tell."""


_HTTP = Protocol(("http", "https"), ("tcp", "tls", "crypto", "data", "httpproxy"))

PROTOCOLS: dict[str, Protocol] = {
    # What lies on this machine never reaches out of it, and what comes from outside never reaches in.
    "file": Protocol(("file",), ("crypto", "data"), live=False),
    "pipe": Protocol((), ("crypto", "data"), live=False),
    "http": _HTTP,
    "https": _HTTP,
    "rtmp": Protocol((), ("tcp",)),
    "rtmps": Protocol((), ("tcp", "tls")),
    "rtsp": Protocol((), ("rtp", "tcp", "udp")),
    "rtsps": Protocol((), ("rtp", "tcp", "tls", "udp")),
    "srt": Protocol((), (), live=True),
    "udp": Protocol((), (), live=True),
    "rtp": Protocol((), ("udp",), live=True),
}
"""Every protocol that an input can be opened by, by the name that stands before `://`. HLS and DASH come by `http`,
`https` or `file`; standard input, pipes and Python file objects by `pipe`."""

STDIN = "-"
"""The address of standard input."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_SECRET = re.compile(
    r"pass|pwd|secret|token|auth|credential|signature|^sig$|key|hdnea|hdnts|^policy$|^st$|^jwt$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where an input is."""

    protocol: str
    """Key of `PROTOCOLS`."""
    url: str
    """What libavformat is given; for a file, its path."""
    name: str
    """For people: the address as given, without credentials."""

    @property
    def path(self) -> Path:
        """The path of a file."""
        return Path(self.url)


def parse_address(text: str, protocols: Collection[str]) -> Address:
    """Read an address as people write it: `-`, a URL, or the path of a file.

    Anything without `://` is a path, whatever characters it has; `file:` before it is allowed.

    Raises:
        SourceError: The protocol is not known or not among `protocols`.
    """
    if text == STDIN:
        return _allowed(Address("pipe", STDIN, "stdin"), protocols)
    if "\0" in text or not text:
        raise SourceError(f"{text!r} is no address of an input: give a file, a URL, or - for standard input.")
    scheme = _SCHEME.match(text)
    if scheme is None:
        path = text.removeprefix("file:") if text.startswith("file:") and not os.path.lexists(text) else text
        return _allowed(Address("file", path, text), protocols)
    protocol = scheme[1].lower()
    if protocol == "file":
        parts = urlsplit(text)
        if parts.netloc not in ("", "localhost"):
            raise SourceError(f"{text} names a file on another machine: mount it here, or serve it by http.")
        return _allowed(Address("file", unquote(text[scheme.end() + len(parts.netloc) :]), text), protocols)
    address = Address(protocol, protocol + text[scheme.end(1) :], without_credentials(text))
    if protocol not in PROTOCOLS:
        raise SourceError(
            f"{address.name}: the protocol {protocol} is not known. Known are {', '.join(PROTOCOLS)}; "
            "for a file whose name looks like a URL, write ./ before it."
        )
    try:
        urlsplit(text)
    except ValueError as error:
        raise SourceError(f"{address.name} is no valid URL: {error}.") from None
    return _allowed(address, protocols)


def _allowed(address: Address, protocols: Collection[str]) -> Address:
    if address.protocol not in protocols:
        allowed = ", ".join(protocols) or "none"
        raise SourceError(
            f"{address.name}: inputs by {address.protocol} are not allowed here. Allowed are: {allowed} "
            "(the setting `protocols`)."
        )
    return address


def reachable(protocol: str, protocols: Collection[str]) -> tuple[str, ...]:
    """The protocols of `PROTOCOLS` that a playlist fetched by `protocol` may name."""
    return tuple(name for name in PROTOCOLS[protocol].reaches if name in protocols)


def libav_whitelist(protocol: str, protocols: Collection[str]) -> str:
    """The `protocol_whitelist` of libavformat for an input by this protocol: it, what it may reach, their carriers."""
    return ",".join(dict.fromkeys((protocol, *reachable(protocol, protocols), *PROTOCOLS[protocol].carriers)))


def without_credentials(url: str) -> str:
    """A URL without user and password, and without the values of query parameters that grant access."""
    scheme, _, rest = url.partition("://")
    end = next((i for i, c in enumerate(rest) if c in "/?#"), len(rest))
    user, at, host = rest[:end].rpartition("@")
    # `udp://@group` is the way to write a multicast group and hides nothing.
    authority = host if user else at + host
    path, question, query = rest[end:].partition("?")
    if question:
        query = re.sub(r"([^&;=#]+)=([^&;#]*)", lambda m: f"{m[1]}={'…' if _SECRET.search(m[1]) else m[2]}", query)
    return f"{scheme}://{authority}{path}{question}{query}"
