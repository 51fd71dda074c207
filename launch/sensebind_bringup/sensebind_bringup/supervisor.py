# SPDX-License-Identifier: Apache-2.0
"""Start a plan's processes without the launch package, bring its nodes up, and end them together.

Usage: python -m sensebind_bringup.supervisor live|replay|realsense|several [name:=value]...
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import deque
from contextlib import contextmanager
from importlib.util import find_spec
from threading import Thread
from typing import TYPE_CHECKING, Any

from sensebind_bringup.arguments import parse
from sensebind_bringup.plan import PlanError, command
from sensebind_bringup.plans import BRINGUPS
from sensebind_bringup.programs import environment_of, find_program

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sensebind_bringup.plan import Plan, Process
    from sensebind_bringup.plans import Bringup

SIGNALS = (signal.SIGTERM, signal.SIGINT)
"""What a process is ended by: the second if it does not hear the first. Our programs and those of
rclcpp take them alike; a Python that only begins ends by SIGTERM without a traceback."""
HEARING_S = 0.1
"""How late signals, and what else happens, may be heard. Nothing is waited for without an end, as
Python runs the handler of a signal only after a wait that it came just before, and not by
SimpleQueue.get, which waits for ever once a signal was handled for longer than its timeout."""
STOP_S = 15.0
"""How long a process may take to end after each of them, before it is killed."""

Message = tuple[str, str]
"""What happened ("exited", "active", "failed"), and to which process or why."""


class Supervisor:
    """Runs the processes of a plan until one of them ends the run, fails, or a signal comes."""

    def __init__(self, plan: Plan, heard: list[int] | None = None) -> None:
        """Find the programs; nothing is started.

        Args:
            plan: what is run.
            heard: gets the signals that come; the first ends the run, the second all waiting.

        Raises:
            PlanError: if a program is not installed, or rclpy if nodes are to be brought up.
        """
        if any(process.lifecycle for process in plan.processes) and find_spec("rclpy") is None:
            raise PlanError(
                f"{sys.executable} has no rclpy, with which nodes are brought up; use the "
                "interpreter that `make ros` makes, source ROS' setup.bash, or set autostart:=false"
            )
        self._plan = plan
        self._commands = {
            process.name: command(process, plan.python, find_program(process))
            for process in plan.processes
        }
        self._environment = environment_of(plan)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._happened: deque[Message] = deque()
        self._active: list[Process] = []
        self._heard = [] if heard is None else heard
        self._over = False

    def run(self) -> int:
        """Run the plan; the exit status: 0 if it ended as it should, else 1.

        Raises:
            PlanError: if a program cannot be started; the others were ended.
        """
        with hearing(self._heard):
            bringing_up = Thread(target=self._bring_up, name="lifecycle", daemon=True)
            try:
                self._start_after("")
                bringing_up.start()
                status = self._watch()
                self._finish()
                return status
            finally:
                self._over = True
                for name in reversed(list(self._running)):
                    self._end(name)
                if bringing_up.is_alive():
                    bringing_up.join(STOP_S)

    def _watch(self) -> int:
        """Start what waits for others, until the run is over."""
        while not self._heard:
            if not self._happened:
                time.sleep(HEARING_S)
                continue
            what, which = self._happened.popleft()
            if what == "failed":
                _tell(which)
                return 1
            if what == "active":
                _tell(f"{which} is active")
                self._active += [each for each in self._plan.processes if each.name == which]
                self._start_after(which)
            else:
                return self._exited(which)
        return 0

    def _exited(self, name: str) -> int:
        """The run's exit status, which the end of this process ends."""
        process = next(each for each in self._plan.processes if each.name == name)
        code = self._running[name].returncode
        if code == 0 and process.ends_run:
            return 0
        _tell(f"{name} ended with status {code}, the rest is stopped")
        return 1

    def _start_after(self, name: str) -> None:
        for process in self._plan.processes:
            if process.after == name and not self._heard:
                self._start(process)

    def _start(self, process: Process) -> None:
        # A session of its own: Ctrl-C reaches the supervisor alone, which ends all in order.
        words = self._commands[process.name]
        try:
            child = subprocess.Popen(  # noqa: S603 - the plan's own commands
                words, env=self._environment, start_new_session=True
            )
        except OSError as error:
            raise PlanError(
                f"{process.name}: {words[0]!r} cannot be started ({error.strerror})"
            ) from None
        self._running[process.name] = child

        def wait() -> None:
            child.wait()
            self._happened.append(("exited", process.name))

        Thread(target=wait, name=f"waits for {process.name}", daemon=True).start()

    def _bring_up(self) -> None:
        """Take the lifecycle nodes to where they are active, one after the other."""
        nodes = [process for process in self._plan.processes if process.lifecycle]
        if not nodes:
            return
        from sensebind_bringup.lifecycle import Lifecycle, StoppedError, TransitionError

        try:
            with Lifecycle(self._stopped) as lifecycle:
                for process in nodes:
                    lifecycle.bring_up(process.node)
                    self._happened.append(("active", process.name))
        except StoppedError:
            pass
        except TransitionError as error:
            self._happened.append(("failed", str(error)))
        except Exception as error:  # noqa: BLE001 - in this thread nobody else would hear of it
            self._happened.append(("failed", f"nodes cannot be brought up: {error!r}"))

    def _finish(self) -> None:
        """Let active nodes encode and publish what they have received."""
        left = [each for each in self._active if self._running[each.name].poll() is None]
        if not left:
            return
        from sensebind_bringup.lifecycle import (
            DEACTIVATE,
            Lifecycle,
            StoppedError,
            TransitionError,
        )

        try:
            with Lifecycle(self._stopped) as lifecycle:
                for process in left:
                    lifecycle.change(process.node, DEACTIVATE, STOP_S)
        except StoppedError:
            pass
        except TransitionError as error:
            _tell(str(error))

    def _end(self, name: str) -> None:
        child = self._running[name]
        for number in SIGNALS:
            if child.poll() is None:
                child.send_signal(number)
            try:
                child.wait(STOP_S)
            except subprocess.TimeoutExpired:
                _tell(f"{name} did not end within {STOP_S:g} s of {number.name}")
            else:
                return
        child.kill()
        child.wait()

    def _stopped(self) -> bool:
        """Whether nobody waits for nodes any longer."""
        return self._over or len(self._heard) > 1


@contextmanager
def hearing(heard: list[int]) -> Iterator[None]:
    """Have signals that ask to end put into a list while the block runs."""
    before = hear(heard)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def hear(heard: list[int]) -> dict[int, Any]:
    """Have signals that ask to end put into a list from now on; the handlers there were.

    Nothing else is done, as it is between any two steps of the main thread, which may hold any
    lock. SIGHUP, of a terminal that was closed, does not reach the processes, which have sessions
    of their own; where it is ignored, as below nohup, it stays so.
    """
    numbers = [*SIGNALS]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    return {
        number: signal.signal(number, lambda number, _: heard.append(number)) for number in numbers
    }


def main(words: Sequence[str] | None = None, heard: list[int] | None = None) -> int:
    """Run the plan that is named; the exit status: 2 for wrong arguments.

    Args:
        words: the plan's name and arguments; those of the command line if None.
        heard: see `Supervisor`.
    """
    name, *rest = [*(sys.argv[1:] if words is None else words), ""][:-1] or [""]
    bringup = BRINGUPS.get(name)
    if bringup is None:
        _tell(f"{name!r} is no plan; expected one of {', '.join(BRINGUPS)}, then name:=value")
        return 2
    if rest in (["--show-args"], ["-s"], ["--help"]):
        sys.stdout.write(_arguments(bringup))
        return 0
    try:
        return Supervisor(bringup.plan(parse(rest)), heard).run()
    except PlanError as error:
        _tell(str(error))
        return 2


def program() -> int:
    """Run the plan that the command line names, in a process that is there for nothing else."""
    heard: list[int] = []
    hear(heard)
    return main(heard=heard)


def _arguments(bringup: Bringup) -> str:
    """The arguments of a plan, for people."""
    lines = [bringup.description]
    for argument in bringup.arguments:
        default = "must be given" if argument.default is None else f"default: {argument.default!r}"
        lines.append(f"  {argument.name}: {argument.description} ({default})")
    return "\n".join(lines) + "\n"


def _tell(sentence: str) -> None:
    sys.stderr.write(f"sensebind_bringup: {sentence}\n")


if __name__ == "__main__":
    sys.exit(program())
