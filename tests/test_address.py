"""Addresses: which are opened, how far a playlist reaches, and the names that inputs get of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gpu_qa.errors import SourceError
from gpu_qa.sources import SourceSettings, open_source
from gpu_qa.sources.address import PROTOCOLS, libav_whitelist, parse_address, without_credentials
from tests.clips import cached_clip

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("", "no address"),
        ("a\0b", "no address"),
        ("gopher://host/x", "protocol gopher is not known"),
        ("concat://a|b", "protocol concat is not known"),
        ("file://otherhost/clip.mp4", "another machine"),
    ],
)
def test_bad_addresses(address: str, told: str) -> None:
    with pytest.raises(SourceError, match=told):
        open_source(address)


def test_only_allowed_protocols_are_opened(tmp_path: Path) -> None:
    clip = cached_clip("clip.mp4", seconds=1)
    settings = SourceSettings(protocols=("https",))
    for address in (str(clip), clip.as_uri(), "http://127.0.0.1/x", "-", "udp://127.0.0.1:1"):
        with pytest.raises(SourceError, match=r"are not allowed here. Allowed are: https"):
            open_source(address, settings)
    with clip.open("rb") as file, pytest.raises(SourceError, match="not allowed here"):
        open_source(file, settings)


def test_a_playlist_reaches_no_further_than_its_kind() -> None:
    for protocol in ("http", "https", "rtmp", "rtsp", "udp", "rtp"):
        assert "file" not in libav_whitelist(protocol, tuple(PROTOCOLS)).split(",")
    assert libav_whitelist("file", tuple(PROTOCOLS)) == "file,crypto,data"
    assert "http" not in libav_whitelist("https", ("https",)).split(",")


@pytest.mark.parametrize("entry", ["http://127.0.0.1:1/a.ts", "udp://127.0.0.1:1", "gopher://127.0.0.1/a.ts"])
def test_a_local_playlist_stays_on_this_machine(entry: str, tmp_path: Path) -> None:
    playlist = tmp_path / "list.m3u8"
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{entry}\n#EXT-X-ENDLIST\n")
    with pytest.raises(SourceError, match=r"the playlist reaches for .*may reach file only"):
        open_source(playlist)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("rtsp://user:secret@host:554/a", "rtsp://host:554/a"),
        ("http://user@host/a?x=1&token=abc&y=2", "http://host/a?x=1&token=…&y=2"),
        ("srt://host:9000?passphrase=secret&mode=caller", "srt://host:9000?passphrase=…&mode=caller"),
        ("https://host/a@b?Signature=abc&Key-Pair-Id=k", "https://host/a@b?Signature=…&Key-Pair-Id=…"),
        ("udp://@239.1.1.1:1234?localaddr=10.0.0.1", "udp://@239.1.1.1:1234?localaddr=10.0.0.1"),
        ("http://a:b@c:d@host/x", "http://host/x"),
    ],
)
def test_names_hold_no_credentials(url: str, name: str) -> None:
    assert without_credentials(url) == name
    assert parse_address(url, PROTOCOLS).name == name
    assert parse_address(url, PROTOCOLS).url == url
