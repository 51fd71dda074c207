# SPDX-License-Identifier: Apache-2.0
"""What an active node has: subscriptions, and the pipeline they feed."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from sensebind.closing import Closing
from sensebind.errors import SenseBindError
from sensebind_ros.clock import RosTime
from sensebind_ros.findings import Looking, troubles
from sensebind_ros.running import Running
from sensebind_ros.topics import Topics, frames_for, make_source

if TYPE_CHECKING:
    from rclpy.lifecycle import LifecycleNode

    from sensebind.records import Record
    from sensebind_ros.configured import Configured
    from sensebind_ros.settings import Settings

_OPEN_S = 30.0
"""How long the pipeline may take until it wants messages; it is warm already."""
_LOOK_S = 0.02


class Active(Closing):
    """Topics and a pipeline.

    Attributes:
        clock: ROS time.
        topics: what is subscribed to.
        running: the pipeline.
        looking: looks at the streams for diagnostics.
        unpublished: embeddings that could not be published.
    """

    def __init__(self, node: LifecycleNode, configured: Configured) -> None:
        """Run the pipeline; nothing is subscribed to before `look`.

        Raises:
            SenseBindError: if a pipeline cannot be wired like this, or does not begin, or if
                something is asked for that is not installed.
        """
        settings = configured.settings
        self.unpublished = 0
        self._log = node.get_logger()
        self._configured = configured
        record = settings.node.record
        with ExitStack() as stack:  # what was begun is ended again if something fails, last first
            frames = frames_for(node, settings)
            if frames is not None:
                stack.callback(frames.close)
            self.clock = RosTime(node.get_clock(), self._log.warning)
            stack.callback(self.clock.close)
            source = make_source(settings, self.clock.now_ns)
            self.running = Running(
                configured.bundle,
                source,
                self.clock,
                self._publish,
                configured.publish_change,
                None if record is None else Path(record),
            )
            stack.callback(self._end_running)
            self.topics = stack.enter_context(Topics(node, settings, source, frames))
            self.looking = Looking(settings, self.topics.all, self.running)
            self.running.start(settings.pipeline, settings.describing)
            self._wait_until_open()
            self._stack = stack.pop_all()

    def change(self, settings: Settings) -> None:
        """Go on with other settings of the pipeline, which were checked."""
        self.running.change(settings.pipeline, settings.describing)
        self.topics.configure(settings)

    def look(self) -> bool:
        """Look for topics and events; whether some topic is not there yet."""
        return self.topics.look()

    def close(self) -> None:
        """Subscribe to nothing any more; what came before is still encoded and published."""
        self._stack.close()
        self._tell_losses()

    def _end_running(self) -> None:
        if not self.running.stop():
            self._log.error("the pipeline did not end in time and was left behind")

    def _tell_losses(self) -> None:
        """Tell in the log what no embedding came of; nobody may have looked at /diagnostics."""
        for state in self.looking.states():
            if lost := troubles(state.counts):
                self._log.warning(
                    f"{state.name}: {state.counts['embedded']} embeddings, {state.received} "
                    f"messages since it was activated; {lost}{state.why}"
                )

    def _wait_until_open(self) -> None:
        until_s = time.monotonic() + _OPEN_S
        while not self.topics.source.opened.wait(_LOOK_S):
            failure = self.running.failure
            if failure or time.monotonic() > until_s:
                raise SenseBindError(failure or f"the pipeline did not begin within {_OPEN_S:g} s")

    def _publish(self, record: Record) -> None:
        """Publish, in the pipeline's thread; what fails costs this embedding only."""
        topics = (each for each in self.topics.all if each.stream == record.embedding.stream)
        frame_id = next((each.frame_id for each in topics if each.frame_id), "")
        try:
            self._configured.publish(record, frame_id)
        except Exception as error:  # noqa: BLE001 - the middleware's, perhaps as it shuts down
            self.unpublished += 1
            if self.unpublished == 1:
                self._log.error(f"an embedding could not be published: {error}")
