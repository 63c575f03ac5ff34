"""Files that name streams: tables and lists, what they may say, what is refused and in which words."""

from __future__ import annotations

import io
import os
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from gpu_qa.config import Settings, override
from gpu_qa.errors import ConfigError
from gpu_qa.streams import StreamEntry, load_streams, streams_of, with_options


def table_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "streams.toml"
    path.write_text(text, encoding="utf-8")
    return path


def list_file(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "streams.txt"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_streams(path)
    return str(caught.value).replace(f"{path}: ", "")


# --- tables ---------------------------------------------------------------------------------------------------------


def test_each_stream_has_its_name_input_and_facts(tmp_path: Path) -> None:
    path = table_file(
        tmp_path,
        """
        [[streams]]
        name = "studio 1"
        input = "srt://studio-1:9000"
        codec = "HEVC"
        width = 1920
        height = 1080
        frame_rate = "30000/1001"

        [[streams]]
        input = "films/a.mp4"
        duration_s = 60
        frame_rate = 25
        """,
    )
    first, second = load_streams(path)
    assert first == StreamEntry(
        "studio 1",
        "srt://studio-1:9000",
        codec="hevc",
        width=1920,
        height=1080,
        frame_rate=Fraction(30000, 1001),
    )
    assert second.input == str(tmp_path / "films" / "a.mp4")
    assert second.name == second.input
    assert (second.duration_s, second.frame_rate, second.codec) == (60.0, Fraction(25), None)


def test_a_streams_own_tables_count_before_the_defaults_and_those_before_the_base(tmp_path: Path) -> None:
    path = table_file(
        tmp_path,
        """
        [defaults]
        duration_s = 10
        profile = "aws"
        source = { read_timeout_s = 20 }
        [defaults.detectors]
        freeze = { raise_after_s = 3.0, noise_floor = 0.002 }
        black = { enabled = false }

        [[streams]]
        input = "a"

        [[streams]]
        input = "b"
        duration_s = 5.5
        profile = "default"
        source.open_timeout_s = 4
        [streams.detectors]
        freeze.raise_after_s = 1
        black.enabled = true
        """,
    )
    base = override(Settings(), {"source": {"read_timeout_s": 7, "open_timeout_s": 7}, "decode": {"device": "cpu"}})
    a, b = load_streams(path, base)
    assert (a.duration_s, b.duration_s) == (10, 5.5)
    assert (a.settings.source.read_timeout_s, a.settings.source.open_timeout_s) == (20, 7)
    assert (b.settings.source.read_timeout_s, b.settings.source.open_timeout_s) == (20, 4)
    assert a.settings.decode.device == b.settings.decode.device == "cpu"
    assert (a.settings.detectors["freeze"].timing.raise_after_s, a.settings.detectors["freeze"].limits.noise_floor) == (
        3.0,
        0.002,
    )
    assert (b.settings.detectors["freeze"].timing.raise_after_s, b.settings.detectors["freeze"].limits.noise_floor) == (
        1.0,
        0.002,
    )
    assert ("black" in a.settings.detectors, "black" in b.settings.detectors) == (False, True)
    assert a.settings.detectors["silence"].limits.raise_dbfs == -50.0
    assert b.settings.detectors["silence"].limits.raise_dbfs == -60.0


def test_thousands_of_streams_that_say_the_same_share_their_settings(tmp_path: Path) -> None:
    own = "\n".join(f'[[streams]]\ninput = "{n}"\nsource.video_track = {n % 2}' for n in range(3000))
    entries = load_streams(table_file(tmp_path, own))
    assert len(entries) == 3000
    assert len({id(entry.settings) for entry in entries}) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'names no stream; each is a table headed by [[streams]] with input = "…"'),
        ("[[stream]]\ninput = 'a'", "unknown key 'stream' (did you mean streams?); known: defaults, streams"),
        ("streams = ['a']", 'streams = ["a"]: must be tables, each headed by [[streams]]'),
        ("[streams.a]\ninput = 'a'", "streams = a table: must be tables, each headed by [[streams]]"),
        ("defaults = 1", "defaults = 1: must be a table"),
        ("[[streams]]\nname = 'a'", "stream 1 (a): input is missing: a path, a URL, or - for standard input"),
        (
            "[[streams]]\ninput = 'a'\nnmae = 'x'",
            "stream 1: unknown key 'nmae' (did you mean name?); known: name, input, reference, duration_s, codec, ",
        ),
        ("[[streams]]\ninput = 1", "stream 1: input = 1: must be a valid string"),
        ("[[streams]]\ninput = ''", 'stream 1: input = "": must not be empty'),
        ("[[streams]]\ninput = 'a'\nname = ' '", 'stream 1 ( ): name = " ": must not be empty'),
        ("[[streams]]\ninput = 'a'\nwidth = 1.5", "stream 1: width = 1.5: must be a valid integer"),
        ("[[streams]]\ninput = 'a'\nheight = 0", "stream 1: height = 0: must be more than 0"),
        ("[[streams]]\ninput = 'a'\nduration_s = true", "stream 1: duration_s = true: must be a valid number"),
        (
            "[[streams]]\ninput = 'a'\nframe_rate = '25/0'",
            'stream 1: frame_rate = "25/0": must be a number of frames per second above 0, or a fraction such as ',
        ),
        (
            "[[streams]]\ninput = 'a'\n[[streams]]\ninput = 'b'\nname = 'x'\nprofile = 'awz'",
            "stream 2 (x): profile = \"awz\": unknown profile 'awz' (did you mean aws?); known: default, aws",
        ),
        (
            "[[streams]]\nname = 'x'\ninput = 'a'\nsource.read_timeout = 3",
            "stream 1 (x): [source] unknown key 'read_timeout' (did you mean read_timeout_s?); known: ",
        ),
        (
            "[[streams]]\ninput = 'a'\ndetectors.freez.raise_after_s = 3",
            "stream 1: [detectors] unknown detector 'freez' (did you mean freeze?); known: ",
        ),
        (
            "[[streams]]\ninput = 'a'\ndetectors.freeze.noise_floor = 'low'",
            'stream 1: [detectors.freeze] noise_floor = "low": must be a valid number',
        ),
        ("[defaults]\nname = 'x'\n[[streams]]\ninput = 'a'", "[defaults] unknown key 'name'"),
        ("[defaults]\nduration_s = 0\n[[streams]]\ninput = 'a'", "[defaults] duration_s = 0: must be more than 0"),
        (
            "[defaults.decode]\ndevice = 'gpu'\n[[streams]]\ninput = 'a'",
            "[defaults] [decode] device = \"gpu\": must be 'auto', 'cuda' or 'cpu'",
        ),
        (
            "[[streams]]\nname = 'x'\ninput = 'a'\n[[streams]]\ninput = 'b'\n[[streams]]\nname = 'x'\ninput = 'c'",
            "stream 3 (x): stream 1 has the same name",
        ),
        (
            "[[streams]]\nname = 'x'\ninput = 'a'\n[[streams]]\nname = 'y'\ninput = 'b'\nreference = 'xx'",
            "stream 2 (y): reference = \"xx\": unknown stream 'xx' (did you mean x?); known: x, y",
        ),
        (
            "[[streams]]\nname = 'x'\ninput = 'a'\nreference = 'x'",
            'stream 1 (x): reference = "x": is the stream itself',
        ),
        (
            "streams = [{name='x',input='a'}, {name='y',input='b',reference='x'}, {name='z',input='c',reference='y'}]",
            'stream 3 (z): reference = "y": has a reference itself; name that one, "x", here too',
        ),
        ("[defaults]\nreference = 'x'\n[[streams]]\ninput = 'a'", "[defaults] unknown key 'reference'"),
        ("[[streams]\n", "is not TOML: "),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    told = refusal(table_file(tmp_path, text))
    assert told.startswith(message)
    assert "  " not in told


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    for name in ("missing.toml", "missing.txt"):
        assert refusal(tmp_path / name) == "cannot be read: No such file or directory"


# --- lists ----------------------------------------------------------------------------------------------------------


def test_a_list_has_an_input_per_line(tmp_path: Path) -> None:
    path = list_file(
        tmp_path,
        "\ufeff# all channels\r\n\r\nhttp://me:secret@host/a.m3u8#x\r\n  b c.mp4  \n/abs/d.ts\n#e.ts\nfile:f.ts\n",
    )
    entries = load_streams(path)
    folder = str(tmp_path)
    inputs = ["http://me:secret@host/a.m3u8#x", f"{folder}/b c.mp4", "/abs/d.ts", f"{folder}/f.ts"]
    assert [entry.input for entry in entries] == inputs
    assert [entry.name for entry in entries] == ["http://host/a.m3u8#x", *inputs[1:]]


def test_a_list_beside_one_is_named_as_it_stands_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    list_file(tmp_path, "a.ts\nsub/b.ts\n")
    monkeypatch.chdir(tmp_path)
    assert [entry.name for entry in load_streams("streams.txt")] == ["a.ts", "sub/b.ts"]
    monkeypatch.chdir(tmp_path.parent)
    relative = f"{tmp_path.name}/streams.txt"
    assert [entry.input for entry in load_streams(relative)] == [f"{tmp_path.name}/a.ts", f"{tmp_path.name}/sub/b.ts"]


def test_names_of_files_may_hold_any_byte(tmp_path: Path) -> None:
    film = tmp_path / os.fsdecode(b"f\xfclm\x85.ts")
    film.write_bytes(b"x")
    (entry,) = load_streams(list_file(tmp_path, b"f\xfclm\x85.ts\n"))
    assert Path(entry.input).read_bytes() == b"x"


def test_a_list_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    def give(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    give(b"a.ts\nudp://@224.0.0.1:5000\n")
    assert [entry.input for entry in load_streams("-")] == ["a.ts", "udp://@224.0.0.1:5000"]
    give(b"a.ts\n-\n")
    with pytest.raises(ConfigError, match="standard input is the list of inputs, so it cannot be one of them"):
        load_streams("-")
    give(b"\n# nothing\n")
    with pytest.raises(ConfigError, match="standard input: names no input; they stand one per line"):
        load_streams("-")


def test_what_is_no_list_is_told(tmp_path: Path) -> None:
    assert refusal(list_file(tmp_path, "")) == "names no input; they stand one per line"
    assert refusal(list_file(tmp_path, "a.ts".encode("utf-16"))) == "is no UTF-8 text with one input per line"
    assert refusal(list_file(tmp_path, "[[streams]]\ninput = 'a'\n")) == (
        "looks like TOML: a file of tables needs a name that ends in .toml"
    )


# --- one command ----------------------------------------------------------------------------------------------------


def names(*inputs: str, listed: tuple[StreamEntry, ...] = ()) -> list[str]:
    return [entry.name for entry in streams_of(inputs, listed, Settings())]


def test_names_differ_whatever_is_given() -> None:
    assert names("a", "b", "a", "a (2)", "a") == ["a", "b", "a (2)", "a (2) (2)", "a (3)"]
    assert names("http://x:y@h/a", "http://z@h/a") == ["http://h/a", "http://h/a (2)"]
    assert names("-") == ["stdin"]
    listed = (StreamEntry("a", "udp://@1"), StreamEntry("b", "udp://@2"))
    assert names("a", "c", listed=listed) == ["a (2)", "c", "a", "b"]


def test_unnamed_streams_of_a_file_give_way_to_named_ones(tmp_path: Path) -> None:
    path = table_file(tmp_path, "[[streams]]\ninput='/a'\n[[streams]]\ninput='/b'\nname='/a'\n[[streams]]\ninput='/a'")
    assert [entry.name for entry in load_streams(path)] == ["/a (2)", "/a", "/a (3)"]


def test_no_input_and_standard_input_twice_are_refused() -> None:
    with pytest.raises(ConfigError, match="no input: give paths or URLs, or --streams FILE"):
        streams_of([], [], Settings())
    with pytest.raises(ConfigError, match="standard input can only be one stream"):
        streams_of(["-"], [StreamEntry("pipe", "-")], Settings())


def test_options_change_all_and_what_was_shared_stays_shared() -> None:
    one, other = Settings(), override(Settings(), {"decode": {"threads": 1}})
    entries = [StreamEntry(str(n), str(n), settings) for n, settings in enumerate([one, other, one])]
    a, b, c = with_options(entries, lambda settings: override(settings, {"decode": {"device": "cpu"}}))
    assert a.settings is c.settings
    assert [entry.settings.decode.device for entry in (a, b, c)] == ["cpu"] * 3
    assert (a.settings.decode.threads, b.settings.decode.threads) == (0, 1)


def test_the_example_loads() -> None:
    news, sports, trailer = load_streams(Path(__file__).parents[1] / "examples" / "streams.toml")
    assert (news.name, sports.name, trailer.name) == ("news", "sports", "trailer")
    assert (news.frame_rate, sports.frame_rate) == (Fraction(25), Fraction(50))
    assert (sports.codec, trailer.width) == ("h264", 1920)
    assert sports.settings.detectors["freeze"].timing.raise_after_s == 1.0
    assert sports.settings.detectors["silence"].limits.raise_dbfs == -50.0
    assert {entry.settings.source.read_timeout_s for entry in (news, sports, trailer)} == {30.0}
    assert trailer.duration_s == 60
