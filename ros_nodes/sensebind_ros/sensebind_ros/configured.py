# SPDX-License-Identifier: Apache-2.0
"""What a configured node holds: its bundle, warm, its prompts and its publishers."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from sensebind.bundle import Bundle
from sensebind.closing import Closing
from sensebind.errors import ConfigError
from sensebind.records import joined
from sensebind.warmup import synthetic_windows, warm_front_end
from sensebind_ros.labels import Labels
from sensebind_ros.outputs import Outputs
from sensebind_ros.running import check

if TYPE_CHECKING:
    from rclpy.lifecycle import LifecycleNode

    from sensebind.changes import ChangeEvent
    from sensebind.config import StreamConfig
    from sensebind.records import Record
    from sensebind_ros.settings import Settings


class Configured(Closing):
    """A bundle and what goes with it.

    Attributes:
        settings: as the parameters are now.
        bundle: loaded, with the encoders of all streams open and warm.
        labels: the prompts.
        outputs: the publishers.
    """

    def __init__(self, node: LifecycleNode, settings: Settings) -> None:
        """Load everything.

        Raises:
            SenseBindError: saying what cannot be used.
        """
        if not settings.node.streams:
            raise ConfigError("no streams are named; set the parameter `streams`, such as [imu]")
        self.settings = settings
        self._node = node
        with ExitStack() as stack:  # what was opened is closed again if something fails
            pipeline = settings.pipeline
            self.bundle = stack.enter_context(
                Bundle.load(
                    settings.node.bundle, backend=pipeline.backend, threads=pipeline.threads
                )
            )
            for stream in pipeline.streams.values():
                _warm(self.bundle, stream)
            check(self.bundle, pipeline, settings.describing)
            self.labels = stack.enter_context(Labels(self.bundle, settings))
            self.outputs = Outputs(node, settings.node, self.bundle.space_id)
            self._stack = stack.pop_all()
        self.publish_bundle()

    @property
    def precision(self) -> str:
        """What the encoders of the streams compute in."""
        modalities = {stream.modality for stream in self.settings.pipeline.streams.values()}
        return joined(self.bundle.encoder(each).precision for each in modalities)

    @property
    def encoders(self) -> dict[str, tuple[str, str]]:
        """Modality and encoder_id of each stream, by its name."""
        return {
            name: (stream.modality.value, self.bundle.encoder(stream.modality).encoder_id)
            for name, stream in self.settings.pipeline.streams.items()
        }

    def apply(self, settings: Settings) -> None:
        """Take other settings, as far as they concern labels.

        Raises:
            SenseBindError: if the prompts cannot be used; then nothing changes.
        """
        old = self.settings
        asked = (settings.labels, settings.prompts, settings.node.temperature)
        if asked != (old.labels, old.prompts, old.node.temperature):
            self.labels.apply(settings)
            self.publish_bundle()
        self.settings = settings

    def publish(self, described: Record, frame_id: str) -> None:
        """Label an embedding and publish it."""
        record, labels = self.labels.record(described.embedding, described.members)
        self.outputs.publish(record, frame_id, labels)

    def publish_change(self, event: ChangeEvent) -> None:
        """Tell of a change."""
        self.outputs.publish_change(event)

    def publish_bundle(self) -> None:
        """Tell what runs, and what is scored now."""
        now_ns = self._node.get_clock().now().nanoseconds
        in_use = self.labels.in_use
        self.outputs.publish_bundle(self.bundle, self.precision, in_use.labels, now_ns)

    def close(self) -> None:
        """Let go of everything."""
        self.outputs.close()
        self._stack.close()


def _warm(bundle: Bundle, stream: StreamConfig) -> None:
    """Open an encoder, which checks its files, and run it once: the first window is no slower."""
    encoder = bundle.encoder(stream.modality)
    warm_front_end(encoder, stream)
    window = synthetic_windows(stream.modality, encoder.spec)[0]
    encoder.encode([encoder.preprocessor().prepare(window).features])
