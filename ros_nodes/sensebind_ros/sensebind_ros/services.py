# SPDX-License-Identifier: Apache-2.0
"""The node's services: texts to vectors, and other prompts while it runs.

A service answers when its texts are embedded, in a thread of their own; until then the node goes on
to receive messages.
"""

from __future__ import annotations

from array import array
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.task import Future as RosFuture

from sensebind.errors import InputError
from sensebind.flow.incidents import told
from sensebind.zero_shot import DEFAULT_TEMPERATURE
from sensebind_ros.interface import EMBED_TEXT, SET_PROMPTS

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from rclpy.node import Node

    from sensebind_ros.labels import Labels

    Value = TypeVar("Value")


class Services:
    """`~/embed_text` and `~/set_prompts`."""

    def __init__(
        self,
        node: Node,
        labels: Callable[[], Labels | None],
        space: Callable[[], tuple[str, int]],
        changed: Callable[[], None],
    ) -> None:
        """Offer them, if sensebind_msgs is installed.

        Args:
            node: that offers them.
            labels: the prompts; None while the node is not configured.
            space: the space_id and the length of its vectors.
            changed: told when other prompts are used.
        """
        self._node = node
        self._labels = labels
        self._space = space
        self._changed = changed
        try:
            kinds = import_module("sensebind_msgs.srv")
        except ImportError:
            return
        for kind, name, answer in (
            (kinds.EmbedText, EMBED_TEXT.name, self._embed_text),
            (kinds.SetPrompts, SET_PROMPTS.name, self._set_prompts),
        ):  # of their own groups: a service that waits holds up its group
            node.create_service(kind, name, answer, callback_group=MutuallyExclusiveCallbackGroup())

    async def _embed_text(self, request: Any, response: Any) -> Any:  # noqa: ANN401
        try:
            labels = self._configured()
            response.space_id, response.dim = self._space()  # the node may be cleaned up meanwhile
            vectors = await _result(self._node, labels.embed(request.texts))
            response.vectors = array("f", vectors.tobytes())
            response.success = True
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller is told
            response.message = told(error)
        return response

    async def _set_prompts(self, request: Any, response: Any) -> Any:  # noqa: ANN401
        try:
            labels = self._configured()
            if request.classes:
                classes = _classes(request.classes)
                temperature = request.temperature or DEFAULT_TEMPERATURE
                embedded = await _result(self._node, labels.embed_classes(classes, temperature))
                labels.add(request.prompt_set, embedded, use=not request.add_only)
            else:
                labels.use(request.prompt_set)
            in_use = labels.in_use
            response.prompt_set, response.labels = in_use.name, list(in_use.labels)
            response.prompt_sets = list(in_use.names)
            response.success = True
            self._changed()
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller is told
            response.message = told(error)
        return response

    def _configured(self) -> Labels:
        labels = self._labels()
        if labels is None:
            raise InputError(
                "the node has no bundle yet; configure it first: ros2 lifecycle set NODE configure"
            )
        return labels


def _classes(messages: list[Any]) -> dict[str, list[str]]:
    labels = [each.label for each in messages]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise InputError(f"class {twice!r} is given twice")
    return {each.label: list(each.prompts) or [each.label] for each in messages}


async def _result(node: Node, future: Future[Value]) -> Value:
    """What comes of work in another thread; meanwhile the node's executor does other things."""
    done = RosFuture(executor=node.executor)
    done.add_done_callback(lambda _: None)  # so that the executor is woken for it
    future.add_done_callback(done.set_result)
    await done
    return future.result()
