# SPDX-License-Identifier: Apache-2.0
"""What holds for every command: help, version, exit codes, signals, closed pipes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sensebind import __version__, cli
from sensebind.cli import output

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.runtime.cli.conftest import Ran

    Run = Callable[..., Ran]

RUNTIME = Path(cli.__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(RUNTIME), "COLUMNS": "200"}

LOADED = """
import sys
from sensebind.cli import run
run(["--help"])
print(sorted({m.partition(".")[0] for m in sys.modules} & {"numpy", "onnxruntime", "pyarrow",
      "numba", "matplotlib", "rosbags", "msgspec", "PIL", "tokenizers"}), file=sys.stderr)
"""

# A replay whose source never ends: it says so once it is in the middle of writing.
INTERRUPTED = """
import signal, sys
from sensebind import cli, pipeline

def interrupted(self, source, **options):
    yield from original(self, source, **options)
    signal.raise_signal(signal.SIGINT)
    raise AssertionError("Ctrl-C did nothing")

original, pipeline.Pipeline.run = pipeline.Pipeline.run, interrupted
signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs inherit "ignored"
sys.exit(cli.run(sys.argv[1:]))
"""

# A signal that comes while a dataclass or another text is executed.
IN_A_TEXT = """
import signal, sys
from sensebind import cli

number = int(sys.argv.pop())
signal.signal(number, signal.SIG_DFL)  # background jobs inherit "ignored", and so does nohup's
cli._COMMANDS["warmup"] = lambda: exec("signal.raise_signal(number)")
cli.main()
"""


# Further signals come while the first is told of, and while the program leaves.
AGAIN_AND_AGAIN = """
import atexit, signal, sys
from sensebind import cli
from sensebind.cli import output

signal.signal(signal.SIGINT, signal.default_int_handler)
first, second, third = map(int, sys.argv[2:])
del sys.argv[2:]
tell = output.error

def told_of(message):
    tell(message)
    signal.raise_signal(second)

output.error = told_of
atexit.register(signal.raise_signal, third)
cli._COMMANDS["warmup"] = lambda: signal.raise_signal(first)
cli.main()
"""

# A thread that does not end, as of an engine that hangs or after a second Ctrl-C.
LEFT_BEHIND = """
import atexit, os, sys, threading
from sensebind import cli

class Held:
    def __del__(self):
        os.write(2, b"Python was taken apart, ")

held, rest = Held(), threading.Event()
atexit.register(os.write, 2, b"exit functions ran")
left = threading.Thread(target=rest.wait, daemon=True)
if sys.argv.pop() == "left":
    left.start()
cli._COMMANDS["warmup"] = lambda: print("done")
cli.main()
"""


# A signal in a function that C calls, out of which no exception comes.
IN_A_CALLBACK = """
import ctypes, signal, sys
from sensebind import cli

how, number = sys.argv.pop(), int(sys.argv.pop())

def work():
    ctypes.CFUNCTYPE(None)(lambda: signal.raise_signal(number))()
    if how == "failing":
        raise RuntimeError("what was called did not do its part")
    while True:
        signal.pause()

signal.signal(number, signal.SIG_DFL)
cli._COMMANDS["warmup"] = work
cli.main()
"""


def sensebind(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "sensebind", *map(str, arguments)]


def test_help_loads_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED], env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    assert done.stderr == "[]\n"
    for command in ("replay", "embed", "demo", "bundle"):
        assert re.search(rf"\b{command}\b", done.stdout)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["replay", "--help"], ["bundle", "--help"]])
def test_help_is_on_stdout_and_exit_0(run: Run, arguments: list[str]) -> None:
    ran = run(*arguments)
    assert ran.code == 0
    assert "Usage: sensebind" in ran.out
    assert ran.err == ""


def test_version(run: Run) -> None:
    assert run("--version").out == f"sensebind {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["fly"], "No such command 'fly'; see: sensebind --help"),
        (["bundle"], "Missing command; see: sensebind bundle --help"),
        (["replay"], "Missing argument 'BAG'; see: sensebind replay --help"),
    ],
)
def test_usage_errors_say_where_help_is(run: Run, arguments: list[str], expected: str) -> None:
    ran = run(*arguments)
    assert ran.code == 2
    assert f"error: {expected}\n" == ran.err.replace("BAG'.", "BAG'")


def test_debug_shows_the_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENSEBIND_DEBUG", "1")
    ran = run("bundle", "show", "nowhere")
    assert ran.code == 2
    assert "Traceback (most recent call last)" in ran.err
    assert ran.err.splitlines()[-1].startswith("error: no bundle")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(28, "No space", "/data/x"), "error: /data/x: No space left on device; free some"),
        (PermissionError(13, "No", "x"), "error: x: No; check its rights and those of its folders"),
        (MemoryError(), "error: there is not enough memory; end other programs"),
    ],
)
def test_what_the_system_refuses_is_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    def refused() -> None:
        raise error

    monkeypatch.setitem(cli._COMMANDS, "warmup", refused)
    ran = run("warmup")
    assert ran.code == 1
    assert ran.err.startswith(told)
    assert ran.err.count("\n") == 1


def test_the_process_exits_with_the_code_of_the_error() -> None:
    done = subprocess.run(
        sensebind("bundle", "show", "nowhere"),
        env=ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("error: no bundle 'nowhere'")
    assert done.stdout == ""


def test_ctrl_c_leaves_the_earlier_file(
    recording: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "drive.parquet"
    out.write_text("before")
    command = [sys.executable, "-c", INTERRUPTED, "replay", str(recording), "--out", str(out),
               "--bundle", str(bundle_folder)]  # fmt: skip
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 130, done.stderr
    assert f"warning: {out} was not written" in done.stderr
    assert done.stderr.endswith("error: interrupted\n")
    assert "Traceback" not in done.stderr
    assert out.read_text() == "before"
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_exit_code_names_the_signal_wherever_it_came(number: int, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(IN_A_TEXT)
    done = subprocess.run(
        [sys.executable, "-m", "program", "warmup", str(int(number))],
        cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (128 + number, "error: interrupted\n")


def test_further_signals_are_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(AGAIN_AND_AGAIN)
    numbers = [str(int(n)) for n in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM)]
    done = subprocess.run(
        [sys.executable, "-m", "program", "warmup", *numbers],
        cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (143, "error: interrupted\n")


@pytest.mark.parametrize(
    ("threads", "told"),
    [("left", "exit functions ran"), ("none", "exit functions ranPython was taken apart, ")],
)
def test_python_is_not_taken_apart_under_a_thread(tmp_path: Path, threads: str, told: str) -> None:
    (tmp_path / "program.py").write_text(LEFT_BEHIND)
    done = subprocess.run(
        [sys.executable, "-m", "program", "warmup", threads],
        cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", told)


@pytest.mark.parametrize("how", ["failing", "waiting"])
def test_a_signal_in_a_callback_is_not_lost(how: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IN_A_CALLBACK, "warmup", str(int(signal.SIGTERM)), how],
        env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (143, "error: interrupted\n")


def test_a_log_on_a_full_disk_changes_nothing() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(sensebind("fly"), env=ENVIRONMENT, stderr=full, check=False)
    assert done.returncode == 2


def test_a_closed_pipe_is_no_traceback(bundle_folder: Path) -> None:
    texts = [part for i in range(200) for part in ("--text", f"a cat {i}")]
    reader, writer = os.pipe()
    with subprocess.Popen(
        sensebind("embed", *texts, "--bundle", bundle_folder, "--json"),
        env=ENVIRONMENT, stdout=writer, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        os.close(writer)
        os.close(reader)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in err
    assert "Broken pipe" not in err


def test_tables_align_words_left_and_numbers_right() -> None:
    text = output.table(["name", "n"], [["a", 5], ["longer", 1000]])
    assert text == "name       n\na          5\nlonger  1000"


def test_an_empty_table_is_its_header() -> None:
    assert output.table(["name", "n"], []) == "name  n"


def test_no_home_is_survived(recording: Path, bundle_folder: Path, tmp_path: Path) -> None:
    environment = {k: v for k, v in ENVIRONMENT.items() if not k.startswith("XDG_")}
    done = subprocess.run(
        sensebind("replay", recording, "--bundle", bundle_folder, "--out", tmp_path / "a.parquet"),
        # Even the super-user can make no folder there.
        env={**environment, "HOME": "/dev/null/home", "TMPDIR": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.parquet").stat().st_size > 0
    assert "Traceback" not in done.stderr
    assert "error: " not in done.stderr
