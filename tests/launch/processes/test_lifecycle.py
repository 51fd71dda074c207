# SPDX-License-Identifier: Apache-2.0
"""Bringing up nodes that answer late, or not at all."""

from __future__ import annotations

from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.running import PATIENCE_S, no_thread_is_left

if TYPE_CHECKING:
    from tests.support.ros import Examiner

__all__ = ["no_thread_is_left"]

pytestmark = pytest.mark.ros


def test_a_transition_that_fails_late_is_not_asked_for_again(
    examiner: Examiner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bundle may be read for minutes until something is found that cannot be used."""
    from lifecycle_msgs.srv import ChangeState, GetState

    from sensebind_bringup import lifecycle

    monkeypatch.setattr(lifecycle, "_PATIENCE_S", 0.1)
    asked: list[int] = []
    late = Event()
    get_state = lifecycle.Lifecycle.state

    def state(*arguments: Any) -> int:
        if asked:
            late.set()
        return get_state(*arguments)

    def change(request: Any, response: Any) -> Any:
        asked.append(request.transition.id)
        assert late.wait(PATIENCE_S)
        response.success = False
        return response

    def tell(_: Any, response: Any) -> Any:
        response.current_state.id = lifecycle.UNCONFIGURED
        return response

    monkeypatch.setattr(lifecycle.Lifecycle, "state", state)
    examiner.node.create_service(ChangeState, "/late/change_state", change)
    examiner.node.create_service(GetState, "/late/get_state", tell)
    ended: list[str] = []

    def bring_up() -> None:
        with lifecycle.Lifecycle(lambda: False) as client:
            try:
                client.bring_up("/late")
            except lifecycle.TransitionError as error:
                ended.append(str(error))

    thread = Thread(target=bring_up)
    thread.start()
    examiner.until(lambda: not thread.is_alive())
    assert ended == ["/late could not be configured; its log above says why"]
    assert asked == [lifecycle.CONFIGURE]


def test_waiting_for_a_node_that_is_not_there_ends(examiner: Examiner) -> None:
    from sensebind_bringup import lifecycle

    del examiner
    looks = iter([False, False, True])
    with (
        lifecycle.Lifecycle(lambda: next(looks)) as client,
        pytest.raises(lifecycle.StoppedError),
    ):
        client.bring_up("/nowhere")
