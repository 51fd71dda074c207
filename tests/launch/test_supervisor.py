# SPDX-License-Identifier: Apache-2.0
"""The supervisor with real processes that need no ROS."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from sensebind_bringup import supervisor
from sensebind_bringup.plan import Plan, PlanError, Process
from sensebind_bringup.supervisor import Supervisor, main
from tests.support.signals import handler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import FrameType

    TraceFunction = Callable[[FrameType, str, Any], Any]

WAITS = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(open({told!r}, "w").write("SIGTERM") and 0))
open({ready!r}, "w").close()  # a pipe: waits until somebody reads
signal.pause()
"""


@pytest.fixture(autouse=True)
def none_is_ignored() -> Iterator[None]:
    """SIGHUP is below nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose files are modules that a plan's processes can be."""
    os.mkfifo(tmp_path / "ready")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def waits(folder: Path) -> Process:
    """A process that ends when it is terminated, and tells so."""
    told, ready = str(folder / "told"), str(folder / "ready")
    (folder / "waits.py").write_text(WAITS.format(told=told, ready=ready))
    return Process("waits", module="waits")


def ends(folder: Path, text: str, *, ends_run: bool = True) -> Process:
    """A process that runs a text once the waiting one is there."""
    wait = f"import os\nopen({str(folder / 'ready')!r}).close()\n"
    (folder / "ends.py").write_text(wait + text)
    return Process("ends", module="ends", ends_run=ends_run)


def test_the_rest_is_terminated_when_the_run_is_over(modules: Path) -> None:
    plan = Plan(sys.executable, (waits(modules), ends(modules, "")))
    assert Supervisor(plan).run() == 0
    assert (modules / "told").read_text() == "SIGTERM"


def test_variables_of_the_plan_reach_the_processes(modules: Path) -> None:
    text = f"open({str(modules / 'seen')!r}, 'w').write(os.environ['PROFILE'])"
    plan = Plan(sys.executable, (waits(modules), ends(modules, text)), {"PROFILE": "ours.xml"})
    assert Supervisor(plan).run() == 0
    assert (modules / "seen").read_text() == "ours.xml"


@pytest.mark.parametrize(("text", "ends_run"), [("raise SystemExit(3)", True), ("", False)])
def test_a_process_that_ends_unasked_ends_the_run(
    modules: Path, capfd: pytest.CaptureFixture[str], text: str, *, ends_run: bool
) -> None:
    plan = Plan(sys.executable, (waits(modules), ends(modules, text, ends_run=ends_run)))
    assert Supervisor(plan).run() == 1
    assert (modules / "told").read_text() == "SIGTERM"
    assert (
        f"ends ended with status {3 if text else 0}, the rest is stopped" in capfd.readouterr().err
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_all_in_order(modules: Path, number: signal.Signals) -> None:
    running = Supervisor(Plan(sys.executable, (waits(modules),)))
    before = signal.getsignal(number)

    def interrupt() -> None:
        (modules / "ready").read_text()
        signal.raise_signal(number)  # in this thread: it does not end the main one's wait

    thread = threading.Thread(target=interrupt)
    thread.start()
    assert running.run() == 0
    thread.join()
    assert (modules / "told").read_text() == "SIGTERM"
    assert signal.getsignal(number) is before


def test_it_hears_though_another_signal_was_handled_for_long(modules: Path) -> None:
    """Some waits of Python's have no end then, as if they had no timeout."""
    running = Supervisor(Plan(sys.executable, (waits(modules),)))
    main_thread = threading.main_thread().ident
    assert main_thread is not None
    handled = threading.Semaphore(0)

    def handle() -> None:
        handled.release()
        time.sleep(2 * supervisor.HEARING_S)  # the system is busy

    def send() -> None:
        (modules / "ready").read_text()
        for _ in range(3):
            signal.pthread_kill(main_thread, signal.SIGALRM)
            handled.acquire()
        signal.raise_signal(signal.SIGTERM)  # in this thread: it does not end the main one's wait

    thread = threading.Thread(target=send)
    thread.start()
    with handler(signal.SIGALRM, handle):
        assert running.run() == 0
    thread.join()


def test_signals_may_come_at_any_step(modules: Path) -> None:
    """Also while the main thread holds a lock of the standard library's."""
    running = Supervisor(Plan(sys.executable, (waits(modules),)))
    lines = 0

    def line(_: FrameType, event: str, __: object) -> TraceFunction:
        nonlocal lines
        if event == "line":
            lines += 1
            signal.raise_signal(signal.SIGINT)
        return line

    def call(frame: FrameType, _: str, __: object) -> TraceFunction | None:
        return line if frame.f_code.co_filename == threading.__file__ else None

    before = sys.gettrace()
    sys.settrace(call)
    try:
        assert running.run() == 0
    finally:
        sys.settrace(before)
    assert lines > 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_before_the_run_ends_it(number: signal.Signals, modules: Path) -> None:
    (modules / "program.py").write_text(f"""
import signal, sys
from sensebind_bringup import plans, supervisor
signal.signal(signal.SIGHUP, signal.SIG_DFL)
plan = plans.Bringup.plan

def interrupted(*arguments):
    signal.raise_signal({int(number)})
    return plan(*arguments)

plans.Bringup.plan = interrupted
sys.argv[1:] = ["live", "autostart:=false", "python:=/no/python"]
sys.exit(supervisor.program())
""")
    paths = os.pathsep.join(filter(None, [str(modules), *sys.path]))
    done = subprocess.run(
        [sys.executable, "-m", "program"],
        env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_a_program_that_is_not_installed_is_told_before_anything_starts(modules: Path) -> None:
    driver = Process("camera", package="no_such_camera", executable="node")
    with pytest.raises(PlanError, match="camera needs the program node of the ROS package"):
        Supervisor(Plan(sys.executable, (waits(modules), driver)))
    assert not (modules / "told").exists()


def test_an_interpreter_that_is_not_there_is_named(
    modules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (modules / "bag").write_text("")
    words = ["replay", f"bag:={modules / 'bag'}", "autostart:=false", "python:=/no/python"]
    assert main(words) == 2
    assert "sensebind: '/no/python' cannot be started (No such file or" in capsys.readouterr().err


def test_without_rclpy_nodes_cannot_be_brought_up(
    modules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "find_spec", lambda _: None)
    node = Process("node", module="waits", lifecycle=True)
    with pytest.raises(PlanError, match="has no rclpy, with which nodes are brought up"):
        Supervisor(Plan(sys.executable, (node,)))
    assert not (modules / "told").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "'' is no plan; expected one of live, replay, realsense, several"),
        (["fly"], "'fly' is no plan"),
        (["live", "bundle=demo"], "'bundle=demo' is no argument"),
        (["replay"], "bag is missing"),
    ],
)
def test_wrong_words(capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    assert main(words) == 2
    assert message in capsys.readouterr().err


def test_arguments_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "--show-args"]) == 0
    listed = capsys.readouterr().out
    assert "bag: recording" in listed
    assert "(must be given)" in listed
    assert "use_sim_time: take the time from /clock (default: 'true')" in listed
