# SPDX-License-Identifier: Apache-2.0
"""Commands of `sensebind engine` as processes: what they tell, how they fail and how they end."""

from __future__ import annotations

import signal
import sys
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest

from sensebind.errors import BackendError
from sensebind.robot import commands
from sensebind.robot.commands import BuildLine, EngineCommands, Stopped
from tests.support.running import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Callable

TELL = "print('{\"share\": 0.5}', flush=True)\n"


@pytest.fixture(autouse=True)
def _python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs in place of the commands."""
    monkeypatch.setattr(commands, "COMMAND", (sys.executable, "-c"))


class Running:
    """A command in a thread, and how it ended."""

    def __init__(self, program: str, on_line: Callable[[], None] = lambda: None) -> None:
        self.commands = EngineCommands()
        self.begun = Event()
        self.error: BaseException | None = None
        self._program, self._on_line = program, on_line
        self.thread = Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.commands.run([self._program], self._heed)
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.error = error

    def _heed(self, _told: BuildLine) -> None:
        self.begun.set()
        self._on_line()

    def stop(self) -> None:
        assert self.begun.wait(PATIENCE_S)
        self.commands.stop()
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()


def test_what_it_tells_is_heeded_and_other_lines_are_not() -> None:
    told: list[BuildLine] = []
    lines = ["half way", '{"share": 0.25, "modality": "imu"}', "{}", "[1]", '{"waiting": true}']
    EngineCommands().run([f"print({chr(10).join(lines)!r})"], told.append)
    assert told == [BuildLine(share=0.25), BuildLine(), BuildLine(waiting=True)]


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("import sys; sys.exit('warning: a\\nerror: no memory; add swap')", "no memory; add swap"),
        ("import sys; sys.exit('first\\nlast')", "the process that made it ended with 1: last"),
        ("raise SystemExit(3)", "the process that made it ended with 3"),
        (f"import os; os.kill(os.getpid(), {signal.SIGKILL})", "was killed, as happens where memo"),
        (f"import os; os.kill(os.getpid(), {signal.SIGSEGV})", "that made it ended with -11"),
    ],
)
def test_a_failure_has_its_reason(program: str, reason: str) -> None:
    with pytest.raises(BackendError) as caught:
        EngineCommands().run([program])
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_it_gives_way_to_everything_else() -> None:
    """It learns that soon, but not before it begins."""
    program = f"""
import os, time
for _ in range({int(PATIENCE_S / 0.01)}):
    score = int(open("/proc/self/oom_score_adj").read())
    if os.getpriority(os.PRIO_PROCESS, 0) >= 10 and score == 1000:
        break
    time.sleep(0.01)
else:
    raise SystemExit("error: it does not")
"""
    EngineCommands().run([program])


@pytest.mark.parametrize("deaf", [False, True])
def test_it_is_ended_even_if_it_does_not_listen(
    deaf: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "_GRACE_S", 0.05 if deaf else PATIENCE_S)
    ignore = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" if deaf else ""
    running = Running(f"{ignore}{TELL}import time; time.sleep({PATIENCE_S})")
    running.stop()
    assert isinstance(running.error, Stopped)
    with pytest.raises(Stopped):
        running.commands.run(["print(1)"])


def test_who_ends_it_and_this_process_together_is_told_of_no_failure() -> None:
    """As the service manager does: the process hears of it first."""
    running = Running(f"{TELL}import os; os.kill(os.getpid(), {signal.SIGTERM})")
    running.stop()
    assert isinstance(running.error, Stopped)


def test_a_program_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "COMMAND", ("/no/such/python",))
    with pytest.raises(BackendError, match="/no/such/python cannot be started: No such file"):
        EngineCommands().run(["build"])
