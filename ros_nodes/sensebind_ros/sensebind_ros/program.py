# SPDX-License-Identifier: Apache-2.0
"""What the programs have in common: signals end them, and what cannot be used is one line.

Nothing heavy is imported before a program runs, so that it hears signals from its beginning on.
Exit codes: 0 done, or ended by a signal; 1 failed; 2 bad usage or input.
"""

from __future__ import annotations

import signal
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING

from sensebind.errors import ConfigError, Interrupted, SenseBindError
from sensebind.flow.signals import HEARING_S, raised_again

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

    from rclpy.node import Node


class Ending:
    """Hears signals that ask the program to end; for the main thread.

    Attributes:
        asked: whether one came.
    """

    def __init__(self) -> None:
        """Hear SIGINT and SIGTERM, and SIGHUP unless it is ignored, as below nohup."""
        self.asked = False
        self._interrupts = False
        self._numbers = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            self._numbers.append(signal.SIGHUP)
        for number in self._numbers:
            signal.signal(number, self._hear)

    @contextmanager
    def interrupts(self) -> Iterator[None]:
        """Have a signal raise Interrupted in the block, or at its beginning if one came before.

        For what may take long and leaves nothing behind: elsewhere a signal is only noted, since
        what it breaks off might be the release of something.
        """
        with raised_again(self._hear):
            try:
                self._interrupts = True
                self._check()
                yield
            except Exception:
                self._check()  # what was broken off may say so in its own words
                raise
            finally:
                self._interrupts = False

    def close(self) -> None:
        """Hear nothing more: what is left to do is to end."""
        for number in self._numbers:
            signal.signal(number, signal.SIG_IGN)

    def _check(self) -> None:
        if self.asked:
            raise Interrupted("by a signal") from None

    def _hear(self, number: int, frame: FrameType | None) -> None:
        """Note a signal; the first one, and what `raised_again` repeats, may raise."""
        del frame
        first, self.asked = not self.asked, True
        if self._interrupts and (first or number == signal.SIGALRM):
            raise Interrupted("by a signal")


def run(program: Callable[[Ending], int]) -> int:
    """Run a program to its end; the exit code."""
    ending = Ending()
    try:
        return program(ending)
    except Interrupted:
        return 0
    except SenseBindError as error:
        from rclpy.logging import get_logger

        get_logger("sensebind").fatal(str(error))
        return error.exit_code
    finally:
        ending.close()


@contextmanager
def joined(words: Sequence[str]) -> Iterator[list[str]]:
    """Have rclpy ready while the block runs, which gets the words that are not for ROS.

    Args:
        words: of the command line, the program's name first.

    Raises:
        ConfigError: if an argument of ROS, a parameter or a name cannot be used.
    """
    import rclpy
    from rclpy.exceptions import NameValidationException, ParameterException
    from rclpy.signals import SignalHandlerOptions
    from rclpy.utilities import remove_ros_args

    try:
        own = remove_ros_args(list(words))[1:]
        # Its own handlers end publishing before us.
        rclpy.init(args=list(words), signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:  # RCLError, which has no public name
        raise ConfigError(f"an argument of ROS cannot be used: {error}") from None
    try:
        yield own
    except ParameterException as error:
        raise ConfigError(f"a parameter cannot be used: {error}") from None
    except NameValidationException as error:
        raise ConfigError(f"a name cannot be used: {error}") from None
    finally:
        rclpy.try_shutdown()


@contextmanager
def spinning(node: Node) -> Iterator[None]:
    """Have the callbacks of a node called in a thread of its own while the block runs."""
    from rclpy.executors import SingleThreadedExecutor

    executor = SingleThreadedExecutor()
    executor.add_node(node)
    done = False

    def spin() -> None:
        while not done:
            executor.spin_once(HEARING_S)

    thread = Thread(target=spin, name="spin")
    thread.start()
    try:
        yield
    finally:
        done = True
        thread.join()
        executor.shutdown()
