# SPDX-License-Identifier: Apache-2.0
"""Taking lifecycle nodes from state to state through their services."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import rclpy
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Self

CONFIGURE = Transition.TRANSITION_CONFIGURE
ACTIVATE = Transition.TRANSITION_ACTIVATE
DEACTIVATE = Transition.TRANSITION_DEACTIVATE
UNCONFIGURED = State.PRIMARY_STATE_UNCONFIGURED
INACTIVE = State.PRIMARY_STATE_INACTIVE
ACTIVE = State.PRIMARY_STATE_ACTIVE

_GOALS = {
    CONFIGURE: ("configured", INACTIVE),
    ACTIVATE: ("activated", ACTIVE),
    DEACTIVATE: ("deactivated", INACTIVE),
}
"""What a node is after a transition, and the id of that state."""
_FOREVER_S = float("inf")
_PATIENCE_S = 5.0
"""After so long without an answer a node is asked again: DDS may lose the answer to a client that
it has only just found."""
_GRACE_S = 1.0
"""How much later than that of its state a node's answer to a transition may come."""
_LOOK_S = 0.2
"""How long is waited before it is asked again whether to go on waiting."""


class TransitionError(Exception):
    """A node did not take a transition; the message names both."""


class StoppedError(Exception):
    """Nobody waits for the node any longer."""


class Lifecycle:
    """A client of lifecycle nodes, with a ROS context of its own; for one thread."""

    def __init__(self, stopped: Callable[[], bool]) -> None:
        """Join the ROS graph.

        Args:
            stopped: tells whether all waiting ends; it is asked often.
        """
        self._stopped = stopped
        self._context = rclpy.Context()
        rclpy.init(args=[], context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self._node = rclpy.create_node("sensebind_bringup", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.try_shutdown(context=self._context)

    def bring_up(self, node: str) -> None:
        """Configure and activate a node, as far as it is not yet.

        Args:
            node: its full name.

        Raises:
            TransitionError: if it stays where it was; its log says why.
            StoppedError: if waiting was ended.
        """
        if self.state(node) == UNCONFIGURED:
            self.change(node, CONFIGURE)
        if self.state(node) == INACTIVE:
            self.change(node, ACTIVATE)

    def state(self, node: str, longest_s: float = _FOREVER_S) -> int:
        """Id of the state a node is in; waits until the node is there.

        Raises:
            TransitionError: if it does not answer in time.
            StoppedError: if waiting was ended.
        """
        until = time.monotonic() + longest_s
        while True:  # a node that is busy with a transition answers when that is over
            answer = self._call(GetState, f"{node}/get_state", GetState.Request(), until)
            if answer is not None:
                return int(answer.current_state.id)

    def change(self, node: str, transition: int, longest_s: float = _FOREVER_S) -> None:
        """Have a node take a transition; returns when it has.

        Raises:
            TransitionError: if it did not, or not in time.
            StoppedError: if waiting was ended.
        """
        until = time.monotonic() + longest_s
        request = ChangeState.Request(transition=Transition(id=transition))
        done, goal = _GOALS[transition]
        with self._client(ChangeState, f"{node}/change_state", until) as client:
            while True:
                future = client.call_async(request)
                self._wait(future, _PATIENCE_S, until, node)
                if not future.done():  # it is busy with the transition, or an answer was lost
                    reached = self.state(node, until - time.monotonic()) == goal
                    self._wait(future, _GRACE_S, until, node)
                    if reached:
                        return
                if future.done():
                    break
        if not future.result().success:
            raise TransitionError(f"{node} could not be {done}; its log above says why")

    def _call(self, kind: Any, name: str, request: Any, until: float) -> Any:  # noqa: ANN401
        """The answer of a service of a generated class; None if it took long or was lost."""
        with self._client(kind, name, until) as client:
            future = client.call_async(request)
            self._wait(future, _PATIENCE_S, until, name)
            return future.result() if future.done() else None

    @contextmanager
    def _client(self, kind: Any, name: str, until: float) -> Iterator[Any]:  # noqa: ANN401
        """A client of a service, once that is there."""
        client = self._node.create_client(kind, name)
        try:
            while not client.wait_for_service(_LOOK_S):
                self._check(name, until)
            yield client
        finally:
            self._node.destroy_client(client)

    def _wait(self, future: Any, patience_s: float, until: float, name: str) -> None:  # noqa: ANN401
        """Wait for an answer for a while."""
        patience = time.monotonic() + patience_s
        while not future.done() and time.monotonic() < patience:
            self._check(name, until)
            self._executor.spin_until_future_complete(future, _LOOK_S)

    def _check(self, name: str, until: float) -> None:
        if self._stopped():
            raise StoppedError
        if time.monotonic() > until:
            raise TransitionError(f"{name} did not answer in time")
