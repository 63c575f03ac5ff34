"""The documentation says what is true: detectors, links, commands, options, examples, protocols."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest
import typer

from gpu_qa.cli import app
from gpu_qa.config import load_settings
from gpu_qa.detectors import DETECTORS
from gpu_qa.sources.address import PROTOCOLS
from gpu_qa.streams import load_streams
from tests.clips import cached_clip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_qa.series import Detector

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md", "benchmarks/*.md")
    for page in ROOT.glob(pattern)
    if page.is_file()
)
IDS = [str(page.relative_to(ROOT)) for page in PAGES]
README = (ROOT / "README.md").read_text(encoding="utf-8")
HISTORY = ROOT / "CHANGELOG.md"
"""Says what was true once."""

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:^ {4,}.*\n)+", re.MULTILINE)
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"!?\[[^\]\n]*\]\(([^)\s]+)\)")
_OPTION = re.compile(r"(?<![\w-])--?[a-zA-Z][\w-]*")
_FOLDERS = ("gpu_qa/", "kernels/", "tests/", "docs/", "examples/", "benchmarks/", ".ci/")
_DETECTORS_ROW = re.compile(
    r"\| \[(?P<name>\w+)\]\((?P<page>[\w./]+)\) \| (?P<kinds>.+?) "
    r"\| (?P<summary>.+?) \| (?P<default>.+?) \| (?P<source>.+) \|"
)
_LIMIT = re.compile(r"`(\w+)` (−?[\d.]+)")
_LASTING = re.compile(r"for ([\d.]+) s")


def marked(name: str) -> str:
    """The part of the README between the marks of this name."""
    return README.split(f"<!-- {name}: begin -->")[1].split(f"<!-- {name}: end -->")[0]


def prose(text: str) -> str:
    """The text without its blocks of code."""
    return _INDENTED.sub("", _FENCE.sub("", text))


def code(text: str) -> Iterator[str]:
    """Every line of a block of code, and every span of code."""
    for language, block in _FENCE.findall(text):
        if language in ("", "sh", "bash", "console"):
            yield from block.splitlines()
    rest = _FENCE.sub("", text)
    for block in _INDENTED.findall(rest):
        yield from (line.strip() for line in block.splitlines())
    yield from _SPAN.findall(prose(rest))


def commands(text: str) -> Iterator[list[str]]:
    """The words of every call of `gpu-qa` and `make` in the text."""
    for line in code(text):
        for part in re.split(r"\s\|\s", line.partition(" #")[0].removeprefix("$ ")):
            if part.strip().startswith(("gpu-qa ", "make ")):
                yield shlex.split(part.replace("…", ""))


def anchor(heading: str) -> str:
    """The name by which a heading is linked, as GitHub makes it."""
    plain = re.sub(r"[`*]", "", heading).strip().lower()
    return "".join(
        "-" if letter == " " else letter
        for letter in plain
        if letter in " -_" or unicodedata.category(letter)[0] in "LN"
    )


def detector_rows() -> dict[str, re.Match[str]]:
    rows = marked("detectors").strip().splitlines()[2:]
    matches = [_DETECTORS_ROW.fullmatch(row) for row in rows]
    assert None not in matches, rows[matches.index(None)]
    return {match["name"]: match for match in matches if match}


# --- detectors ------------------------------------------------------------------------------------------------------


def test_the_readme_lists_the_detectors_in_their_order() -> None:
    names = [detector.name for detector in DETECTORS]
    assert list(detector_rows()) == names
    assert sorted(page.stem for page in (ROOT / "docs" / "detectors").glob("*.md")) == sorted(names)
    assert {name for name in names if not (ROOT / "tests" / f"test_{name}.py").exists()} == set()


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: detector.name)
def test_a_row_says_what_the_detector_says(detector: Detector) -> None:
    row = detector_rows()[detector.name]
    assert row["page"] == f"docs/detectors/{detector.name}.md"
    assert tuple(_SPAN.findall(row["kinds"])) == detector.kinds
    assert row["summary"] == detector.summary.removesuffix(".")
    assert row["source"] == detector.source


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: detector.name)
def test_a_row_has_the_defaults(detector: Detector) -> None:
    default = detector_rows()[detector.name]["default"]
    for name, value in _LIMIT.findall(default):
        assert float(value.replace("−", "-")) == getattr(detector.limits, name), name
    lasting = _LASTING.search(default)
    assert float(lasting[1] if lasting else 0) == detector.timing.raise_after_s
    assert bool(lasting) != ("at once" in default)


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: detector.name)
def test_a_page_has_the_timing(detector: Detector) -> None:
    page = (ROOT / "docs" / "detectors" / f"{detector.name}.md").read_text(encoding="utf-8")
    for name in ("raise_after_s", "clear_after_s"):
        told = re.search(rf"^\| `{name}` \| ([\d.]+) s \|", page, re.MULTILINE)
        assert told, f"{name} is not among the defaults"
        assert float(told[1]) == getattr(detector.timing, name)


# --- links and paths ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_lead_somewhere(page: Path) -> None:
    for link in _LINK.findall(prose(page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, fragment = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        if fragment:
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert fragment in map(anchor, headings), link


def test_the_index_links_every_page() -> None:
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / link).resolve() for link in _LINK.findall(index.read_text(encoding="utf-8"))}
    assert {str(page) for page in PAGES if page != index and page.resolve() not in linked} == set()


@pytest.mark.parametrize("page", [page for page in PAGES if page != HISTORY], ids=lambda page: page.name)
def test_paths_in_the_text_exist(page: Path) -> None:
    for span in _SPAN.findall(prose(page.read_text(encoding="utf-8"))):
        if span.startswith(_FOLDERS) and not re.search(r"[\s*…(]|NAME|X", span):
            assert (ROOT / span).exists(), span


def test_the_report_is_shown_small_enough() -> None:
    picture = ROOT / "docs" / "images" / "report.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size <= 300_000


# --- commands -------------------------------------------------------------------------------------------------------


def test_there_are_commands_to_look_at() -> None:
    found = [words[:2] for words in commands(README)]
    for expected in (["gpu-qa", "analyze"], ["gpu-qa", "doctor"], ["make", "demo"], ["make", "test"]):
        assert expected in found


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_commands_and_options_exist(page: Path) -> None:
    group = typer.main.get_command(app)
    known = {name: command.params for name, command in group.commands.items()}  # type: ignore[attr-defined]
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for words in commands(page.read_text(encoding="utf-8")):
        if words[0] == "make":
            assert {word for word in words[1:] if "=" not in word} <= targets, words
            continue
        name = words[1]
        if name in ("--help", "--version", "COMMAND"):
            continue
        assert name in known, words
        options = {option for parameter in known[name] for option in parameter.opts} | {"--help", "-h"}
        given = {word for word in words[2:] if _OPTION.fullmatch(word)}
        assert given <= options, words


def test_every_option_in_the_text_is_one_of_analyze() -> None:
    """Options named alone in the README, the report's and the hardware's page."""
    group = typer.main.get_command(app)
    options = {
        option
        for command in group.commands.values()  # type: ignore[attr-defined]
        for parameter in command.params
        for option in parameter.opts
    }
    for name in ("README.md", "ARCHITECTURE.md", "docs/report.md", "docs/hardware.md"):
        for span in _SPAN.findall(prose((ROOT / name).read_text(encoding="utf-8"))):
            if span.startswith("--"):
                assert span.split()[0] in options, f"{name}: {span}"


def test_exit_codes_are_listed() -> None:
    assert re.findall(r"^\| (\d) \|", README, re.MULTILINE) == ["0", "1", "2"]


def test_every_protocol_is_listed() -> None:
    listed = set(re.findall(r"`(\w+)://", README))
    assert listed == set(PROTOCOLS) - {"pipe"}
    assert "| standard input, pipes | `-` |" in README


# --- examples -------------------------------------------------------------------------------------------------------


def blocks(language: str) -> list[tuple[str, str]]:
    return [
        (str(page.relative_to(ROOT)), block)
        for page in PAGES
        for found, block in _FENCE.findall(page.read_text(encoding="utf-8"))
        if found == language
    ]


def test_there_are_examples_to_run() -> None:
    assert {"README.md"} <= {page for page, _ in blocks("python")} & {page for page, _ in blocks("toml")}


@pytest.mark.timeout(300)  # where no compiled kernels are kept
@pytest.mark.parametrize(("page", "block"), blocks("python"))
def test_python_examples_run(page: str, block: str, tmp_path: Path) -> None:
    names = [node.value for node in ast.walk(ast.parse(block)) if isinstance(node, ast.Constant)]
    for name in names:
        if isinstance(name, str) and re.fullmatch(r"\w+\.(mp4|ts)", name):
            (tmp_path / name).symlink_to(
                cached_clip(f"docs{Path(name).suffix}", seconds=4, size=(96, 64), freeze=(0.5, 4))
            )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "kernels")))}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", block],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    if "print" in block:
        # What only opens an input finds nothing in it.
        assert ("video" if "open_source(" in block else "video.freeze") in done.stdout


@pytest.mark.parametrize(("page", "block"), blocks("toml"))
def test_toml_examples_load(page: str, block: str, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(block, encoding="utf-8")
    load_streams(file) if "[[streams]]" in block else load_settings(file)


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_no_paths_of_somebodys_machine(page: Path) -> None:
    found = re.search(r"(?<![\w.])/(?:home|root|tmp|work|Users)/\S*", page.read_text(encoding="utf-8"))
    assert found is None, found
