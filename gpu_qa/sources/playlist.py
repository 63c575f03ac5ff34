"""HLS playlists, as far as needed to tell why one cannot be played."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from gpu_qa.sources.address import reachable

if TYPE_CHECKING:
    from collections.abc import Collection

    from gpu_qa.sources.address import Address

_URI = re.compile(r'URI="([^"]+)"')
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")


def entries(text: str) -> list[str]:
    """Every address that a playlist names, as written: segments, variants, keys, initialization sections."""
    found: list[str] = []
    for line in text.splitlines():
        if line.startswith("#EXT-X-"):
            found += _URI.findall(line)
        elif line.strip() and not line.startswith("#"):
            found.append(line.strip())
    return found


def forbidden_entry(text: str, playlist: Address, protocols: Collection[str]) -> str | None:
    """The sentence about the first address in a playlist that it may not reach; null where all are allowed."""
    allowed = reachable(playlist.protocol, protocols)
    for entry in entries(text):
        scheme = _SCHEME.match(entry if playlist.protocol == "file" else urljoin(playlist.url, entry))
        protocol = scheme[1].lower() if scheme else "file"
        if protocol not in (*allowed, "data"):
            return (
                f"the playlist reaches for {entry[:80]!r}, and one that was fetched by {playlist.protocol} may reach "
                f"{' and '.join(allowed) or 'nothing else'} only."
            )
    return None
