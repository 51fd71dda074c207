# SPDX-License-Identifier: Apache-2.0
"""What the node adds to the runtime's configuration: its bundle, prompts and topics.

The node's parameters, their descriptors and the tables of the documentation are generated from
these classes and the runtime's.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from sensebind.zero_shot import DEFAULT_TEMPERATURE

Reliability = Literal["best_effort", "reliable"]
VectorMessage = Literal["auto", "embedding", "array"]


class NodeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the node runs.

    Attributes:
        config: path of a robot.toml, which `sensebind run`, `live` and `replay` read too: what it
            says of bundle, prompts, labels, streams, joint embeddings and changes are the defaults
            of the other parameters. Its devices, outputs, statistics and health are left out.
        bundle: name of a built-in bundle, or the folder of one.
        streams: names of the streams, of letters, digits and underscores. Each has parameters
            below its name: `<stream>.topic`, `<stream>.modality` and the others of the tables.
        prompts: classes that embeddings are scored for: "an alarm, speech, rain", or the path of a
            prompt file (.txt, .toml, .json); none if not set.
        temperature: divides the cosines before they are shared out among the classes; smaller is
            sharper.
        joint: publish joint embeddings of the streams too, as `fusion` says.
        tell_changes: publish when streams become unlike what they were, as `changes` says.
        record: folder in which the sensors are recorded, a file for each activation, which
            `sensebind replay` reads; nothing is recorded if not set.
        vectors: "embedding" publishes sensebind_msgs/Embedding, "array" the plain
            std_msgs/Float32MultiArray; "auto" the former where it is installed.
        diagnostics_period_s: how often /diagnostics and ~/status are published.
    """

    config: str | None = None
    bundle: str = "demo"
    streams: tuple[str, ...] = ()
    prompts: str | None = None
    temperature: Annotated[float, Meta(gt=0, le=100)] = DEFAULT_TEMPERATURE
    joint: bool = False
    tell_changes: bool = False
    record: str | None = None
    vectors: VectorMessage = "auto"
    diagnostics_period_s: Annotated[float, Meta(ge=0.1, le=60)] = 1.0


class TopicConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where a stream's messages come from.

    Attributes:
        topic: the topic; the stream's name if not set. Relative names are in the node's namespace.
        accel_topic: accelerations of an IMU whose halves have topics of their own; then
            `gyro_topic` is needed too, and `topic` is not used.
        gyro_topic: its angular velocities.
        type: message type, such as "sensor_msgs/msg/Image"; that of the topic's publisher, for
            which the node waits, if not set.
        info_topic: sensor_msgs/CameraInfo of a depth camera (for its focal length), or
            audio_common_msgs/AudioInfo of AudioData topics (for their format); "camera_info" or
            "audio_info" beside the topic if not set.
        target_frame: turn an IMU's readings into this tf frame, by the static transform from the
            frame of its messages. Needs tf2_ros; `frame` does without. IMU only.
        message_rate_hz: messages per second at most, which sizes the queue; 1000 for an IMU, 100
            for audio, 30 for cameras if not set.
        queue_s: how much may wait in the middleware's queue while the node is busy; 2 s, for
            cameras 0.5 s, if not set.
        reliability: what is asked of the publisher; "best_effort" also takes what reliable ones
            publish, "reliable" only that.
        silence_s: a topic without messages for so long is told of on /diagnostics.
    """

    topic: str | None = None
    accel_topic: str | None = None
    gyro_topic: str | None = None
    type: str | None = None
    info_topic: str | None = None
    target_frame: str | None = None
    message_rate_hz: Annotated[float, Meta(gt=0, le=100_000)] | None = None
    queue_s: Annotated[float, Meta(gt=0, le=60)] | None = None
    reliability: Reliability = "best_effort"
    silence_s: Annotated[float, Meta(gt=0, le=3600)] = 2.0
