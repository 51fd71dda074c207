# SPDX-License-Identifier: Apache-2.0
"""Every command and Python example of the pages is run, or listed in not_run.toml with why not."""

from __future__ import annotations

import re
import shlex
import wave
from fnmatch import fnmatch
from functools import lru_cache
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from tests.docs.test_docs import FENCE, PAGES, ROOT, blocks, page_id, run
from tests.support.toml import read_toml

if TYPE_CHECKING:
    from pathlib import Path

HERE = ROOT / "tests" / "docs"
NOT_RUN: dict[str, dict[str, str]] = read_toml(HERE / "not_run.toml")
RUN_ELSEWHERE = {
    "README.md": "test_docs.py",
    "docs/search.md": "test_docs.py",
    "docs/recordings.md": "test_recordings.py",
    "docs/robot.md": "test_robot.py",
    "docs/sources.md": "test_sources.py",
    "docs/train-your-own.md": "test_train_your_own.py",
}
PROGRAM = re.compile(
    r"(?:\$ )?((?:sensebind|make|pip|sudo|\S*python3?|ros2|docker|torchrun|rerun) .*)"
)


@lru_cache
def commands(page: str) -> tuple[str, ...]:
    """Commands of every block of a page, whatever its language, without comments."""
    found = FENCE.findall((ROOT / page).read_text(encoding="utf-8"))
    shells = ("", "sh", "bash", "console")
    texts = [text.replace("\\\n", " ") for tag, text in found if tag in shells]
    lines = [
        match for text in texts for match in map(PROGRAM.fullmatch, text.splitlines()) if match
    ]
    return tuple(shlex.join(shlex.split(line[1], comments=True)) for line in lines)


def excused(page: str, command: str) -> bool:
    return any(fnmatch(command, pattern) for pattern in NOT_RUN.get(page, {}))


ALL = [page_id(path) for path in PAGES]
TO_RUN = [
    page for page in ALL
    if page not in RUN_ELSEWHERE and any(not excused(page, each) for each in commands(page))
]  # fmt: skip
EXAMPLES = [
    (page, number)
    for page in ALL
    if page not in RUN_ELSEWHERE and "python" not in NOT_RUN.get(page, {})
    for number in range(len(blocks(ROOT / page, "python")))
]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the pages speak of."""
    folder = tmp_path_factory.mktemp("pages")
    sample = ROOT / "runtime" / "sensebind" / "_data" / "sample" / "sample.mcap"
    (folder / "drive.mcap").symlink_to(sample)
    (folder / "prompts.txt").write_text("driving\nstanding still\n")
    (folder / "sounds" / "rain").mkdir(parents=True)
    with wave.open(str(folder / "sounds" / "rain" / "1.wav"), "wb") as sound:
        sound.setparams((1, 2, 16_000, 0, "NONE", ""))
        sound.writeframes(bytes(64_000))
    Image.new("RGB", (64, 48), (255, 0, 0)).save(folder / "picture.png")
    return folder


@pytest.mark.parametrize("page", TO_RUN)
def test_commands_run(page: str, workplace: Path) -> None:
    for command in (each for each in commands(page) if not excused(page, each)):
        words = shlex.split(command)
        assert words[0] == "sensebind", f"{command}: run it in a test, or say in not_run.toml why"
        run(words, workplace)


@pytest.mark.parametrize(("page", "number"), EXAMPLES)
def test_examples_run(
    page: str, number: int, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workplace)
    text = blocks(ROOT / page, "python")[number]
    exec(compile(text, page, "exec"), {})


@pytest.mark.parametrize("page", RUN_ELSEWHERE)
def test_what_runs_elsewhere_is_run_there(page: str) -> None:
    """Those tests run each `sensebind` command; whatever else is there has its reason."""
    name = page.rpartition("/")[2]
    assert name in (HERE / RUN_ELSEWHERE[page]).read_text(encoding="utf-8")
    for command in commands(page):
        assert command.startswith("sensebind ") or excused(page, command), command


@pytest.mark.parametrize("page", [page for page in NOT_RUN if (ROOT / page).exists()])
def test_reasons_are_of_commands_that_are_there(page: str) -> None:
    for pattern, reason in NOT_RUN[page].items():
        assert reason.strip()
        there = blocks(ROOT / page, "python") if pattern == "python" else commands(page)
        matching = there if pattern == "python" else [c for c in there if fnmatch(c, pattern)]
        assert matching, f"{page}: nothing is like {pattern!r}; take its line out of not_run.toml"
