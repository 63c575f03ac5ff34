"""Whole small things by HTTP, or from a file: manifests, segments, the head of what is no media."""

from __future__ import annotations

import base64
import contextlib
import http.client
import io
import urllib.error
import urllib.request
from typing import IO, TYPE_CHECKING
from urllib.parse import unquote, urlsplit, urlunsplit

from gpu_qa.errors import SourceError, SourceTimeout
from gpu_qa.sources.address import parse_address, without_credentials

if TYPE_CHECKING:
    from collections.abc import Collection

    from gpu_qa.sources.address import Address

_SCHEMES = ("http", "https")
_FETCHED = (*_SCHEMES, "file")


class MissingError(SourceError):
    """The server answered that it has no such thing (HTTP 4xx), or the file does not exist."""


class _NoForeignRedirect(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but only to protocols that are allowed."""

    def __init__(self, protocols: Collection[str]) -> None:
        self._protocols = protocols

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        address = parse_address(newurl, self._protocols)
        if address.protocol not in _SCHEMES:
            raise SourceError(f"{without_credentials(req.full_url)} redirects to {address.name}, which is not allowed.")
        plain, credentials = _split_credentials(newurl)
        request = super().redirect_request(req, fp, code, msg, headers, plain)
        if request is None:
            return None
        # What was meant for one server is nobody else's to see.
        if credentials is None and _origin(plain) == _origin(req.full_url):
            credentials = req.unredirected_hdrs.get("Authorization")
        if credentials is not None:
            request.add_unredirected_header("Authorization", credentials)
        return request


def _split_credentials(url: str) -> tuple[str, str | None]:
    """The URL without user and password (and fragment), and the `Authorization` header they make."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    plain = urlunsplit(parts._replace(netloc=host, fragment=""))
    return plain, f"Basic {base64.b64encode(unquote(user).encode()).decode()}" if at else None


def _origin(url: str) -> tuple[str, str | None, int | None]:
    """Protocol, host and port: what a user and a password are for (RFC 6454)."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


class Fetcher:
    """Fetches by HTTP, HTTPS and from files, as far as allowed; each wait for a server has a limit."""

    def __init__(self, protocols: Collection[str], timeout_s: float) -> None:
        self._protocols = protocols
        self._timeout_s = timeout_s
        self._opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(),
            urllib.request.HTTPHandler(),
            urllib.request.HTTPSHandler(),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPErrorProcessor(),
            _NoForeignRedirect(protocols),
        ):
            self._opener.add_handler(handler)

    def open(self, url: str, byte_range: tuple[int, int | None] | None = None) -> IO[bytes]:
        """The body, to be read and closed; `byte_range` is the first and the last byte wanted.

        Raises:
            MissingError: There is no such thing.
            SourceTimeout: The server does not answer in time.
            SourceError: It cannot be fetched, or not by an allowed protocol.
        """
        address = parse_address(url, self._protocols)
        if address.protocol not in _FETCHED:
            raise SourceError(f"{address.name}: cannot be fetched by {address.protocol}.")
        if address.protocol == "file":
            return _open_file(address, byte_range)
        plain, credentials = _split_credentials(address.url)
        request = urllib.request.Request(plain)  # noqa: S310 - checked
        request.add_header("User-Agent", "gpu-qa")
        if credentials is not None:
            request.add_unredirected_header("Authorization", credentials)
        if byte_range:
            last = "" if byte_range[1] is None else str(byte_range[1])
            request.add_header("Range", f"bytes={byte_range[0]}-{last}")
        try:
            body: IO[bytes] = self._opener.open(request, timeout=self._timeout_s)
        except urllib.error.HTTPError as error:
            with contextlib.closing(error):
                kind = MissingError if error.code < 500 else SourceError
                raise kind(f"{address.name}: HTTP {error.code} {error.reason}.") from None
        except TimeoutError as error:
            raise self._late(address.name) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "reason", None)
            if isinstance(reason, TimeoutError):
                raise self._late(address.name) from error
            raise SourceError(f"{address.name}: {reason or error}.") from error
        return body

    def _late(self, name: str) -> SourceTimeout:
        return SourceTimeout(f"{name}: the server did not answer within {self._timeout_s:g} s.")

    def get(self, url: str, limit: int) -> bytes:
        """The first `limit` bytes of the body; raises as `open` does."""
        with self.open(url) as body:
            return self.read(body, limit, url)

    def read(self, body: IO[bytes], size: int, url: str) -> bytes:
        """At most `size` bytes of a body; raises as `open` does."""
        try:
            return body.read(size)
        except TimeoutError as error:
            raise self._late(without_credentials(url)) from error
        except (OSError, http.client.HTTPException) as error:
            raise SourceError(f"{without_credentials(url)} broke off: {error}.") from error


def _open_file(address: Address, byte_range: tuple[int, int | None] | None) -> IO[bytes]:
    try:
        file = address.path.open("rb")
    except FileNotFoundError:
        raise MissingError(f"{address.name}: no such file.") from None
    except OSError as error:
        raise SourceError(f"{address.name}: {error.strerror}.") from error
    if byte_range is None:
        return file
    with file:
        file.seek(byte_range[0])
        return io.BytesIO(file.read() if byte_range[1] is None else file.read(byte_range[1] - byte_range[0] + 1))
