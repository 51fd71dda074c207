# SPDX-License-Identifier: Apache-2.0
"""The documentation against the project: commands exist, options exist, links lead somewhere."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

import sensebind
from sensebind.windowing import StreamCounters

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def page_id(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(path: Path, language: str) -> list[str]:
    """Fenced blocks of a page in one language."""
    found = FENCE.findall(path.read_text(encoding="utf-8"))
    return [text for tag, text in found if tag == language]


def commands(path: Path) -> list[list[str]]:
    """Words of every shell command of a page, comments left out."""
    lines = [line for text in blocks(path, "sh") for line in text.splitlines()]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def anchors(path: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


def environment() -> dict[str, str]:
    """Of a command: wide output without colours, the modules of this test run."""
    terminal = {"COLUMNS": "200", "NO_COLOR": "1"}
    return {**os.environ, **terminal, "PYTHONPATH": os.pathsep.join(sys.path)}


def run(words: Sequence[str], folder: Path) -> str:
    """Run a command of a page, a Python module's, in a folder; what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, env=environment(),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{shlex.join(words)}: {done.stderr}"
    return done.stdout


@lru_cache
def help_of(*command: str) -> str:
    """What `sensebind COMMAND --help` prints."""
    return run(["sensebind", *command, "--help"], ROOT)


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_make_targets_exist(page: Path) -> None:
    used = {words[1] for words in commands(page) if words[0] == "make"}
    used |= set(re.findall(r"`make ([a-z-]+)", page.read_text(encoding="utf-8")))
    assert used <= make_targets()


def test_readme_begins_with_make() -> None:
    first = commands(ROOT / "README.md")[:2]
    assert first == [["make", "demo"], ["make", "test"]]


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_commands_and_options_exist(page: Path) -> None:
    for words in commands(page):
        if words[0] != "sensebind":
            continue
        name = words[1:3] if words[1] in {"bundle", "recipe", "engine", "calibrate"} else words[1:2]
        text = help_of(*name)
        for option in (word.split("=")[0] for word in words if word.startswith("--")):
            assert option in text, f"{shlex.join(words)}: no option {option}"


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if re.match(r"https?:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} leads nowhere"
        assert not anchor or anchor in anchors(target), f"{link}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_python_examples_use_names_that_exist(page: Path) -> None:
    for text in blocks(page, "python"):
        compile(text, str(page), "exec")
        for name in re.findall(r"\bsb\.(\w+)", text):
            assert hasattr(sensebind, name), f"sensebind.{name}"


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that holds the files the README speaks of."""
    sample = ROOT / "runtime" / "sensebind" / "_data" / "sample" / "sample.mcap"
    (tmp_path / "drive.mcap").symlink_to(sample)
    (tmp_path / "pictures").mkdir()
    for name, colour in (("red.png", (255, 0, 0)), ("blue.jpg", (0, 0, 255))):
        Image.new("RGB", (64, 48), colour).save(tmp_path / "pictures" / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", ["README.md", "docs/search.md"])
def test_commands_of_a_page_run(page: str, workplace: Path) -> None:
    ran = [words for words in commands(ROOT / page) if words[0] == "sensebind"]
    assert len(ran) >= 3
    said = set()
    for words in ran:
        said |= {" ".join(line.split()) for line in run(words, workplace).splitlines()}
        for out in (Path(word) for word in words if word.endswith(".parquet")):
            assert (workplace / out).stat().st_size > 0
    assert {" ".join(line.split()) for line in shown_output(ROOT / page)} <= said


def shown_output(page: Path) -> list[str]:
    """Lines that a page shows as said by `replay` or `search`."""
    texts = [text for text in blocks(page, "text") if text.startswith(("reads ", "cosine "))]
    return [line for text in texts for line in text.splitlines()]


def test_the_readme_shows_what_is_said() -> None:
    assert len(shown_output(ROOT / "README.md")) == 9


def test_readme_example_runs(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (text,) = blocks(ROOT / "README.md", "python")
    exec(compile(text, "README.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[1] for line in lines} == {"imu", "vision", "depth", "thermal", "audio"}
    assert all(line.endswith("(384,)") for line in lines)


def test_every_counter_is_explained() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/time.md").read_text(), re.MULTILINE)
    assert rows == list(StreamCounters.__dataclass_fields__)


def test_the_evaluation_page_is_the_bundles() -> None:
    shipped = ROOT / "runtime" / "sensebind" / "_data" / "bundles" / "demo" / "EVALUATION.md"
    assert (ROOT / "docs" / "evaluation.md").read_bytes() == shipped.read_bytes()
