# SPDX-License-Identifier: Apache-2.0
"""What the node publishes and answers: names and types, for the code and the documentation."""

from __future__ import annotations

from dataclasses import dataclass

STREAM = "<stream>"


@dataclass(frozen=True, slots=True)
class Offer:
    """A topic that the node publishes, or a service that it answers.

    Attributes:
        name: relative to the node where it begins with "~"; `STREAM` stands for a stream's name.
        type: of its messages.
        what: for the user, with its quality of service where that matters.
    """

    name: str
    type: str
    what: str

    def of(self, stream: str) -> str:
        """The name for one stream."""
        return self.name.replace(STREAM, stream)


EMBEDDING = Offer(
    f"~/embedding/{STREAM}",
    "sensebind_msgs/msg/Embedding",
    "a unit vector per window; `header.stamp` is that of the window's newest sample. Reliable. "
    "`std_msgs/msg/Float32MultiArray` with the parameter `vectors: array`, or where sensebind_msgs "
    "is not installed. With `joint`, `~/embedding/joint` has the joint embeddings, with their "
    "streams as `members`",
)
ZERO_SHOT = Offer(
    f"~/zero_shot/{STREAM}",
    "sensebind_msgs/msg/ZeroShot",
    "label and scores of the embedding with the same `grid_ns`, while there are prompts. Reliable",
)
CHANGES = Offer(
    "~/changes",
    "std_msgs/msg/String",
    'with `tell_changes`: a stream, or "joint", became unlike what it was. JSON with `stream`, '
    "`modality`, `grid_ns` (of the first embedding that is different) and `distance`: the lines "
    "that `sensebind replay --changes` writes, so one program reads both, and the type is there "
    "in every ROS. Reliable",
)
BUNDLE = Offer(
    "~/bundle",
    "sensebind_msgs/msg/BundleInfo",
    "what runs and what is scored; again at every change of prompts. Kept for late subscribers "
    "(reliable, transient local)",
)
STATUS = Offer(
    "~/status",
    "sensebind_msgs/msg/StreamStatus",
    "counts of each stream by cause since the node was activated, every `diagnostics_period_s`",
)
DIAGNOSTICS = Offer(
    "/diagnostics",
    "diagnostic_msgs/msg/DiagnosticArray",
    "one status of the node (`takes messages`: no while a pipeline is set up), one per stream and "
    "one per encoder; also while it is not active",
)
PUBLISHED = (EMBEDDING, ZERO_SHOT, CHANGES, BUNDLE, STATUS, DIAGNOSTICS)

EMBED_TEXT = Offer(
    "~/embed_text",
    "sensebind_msgs/srv/EmbedText",
    "texts to vectors of the bundle's space; from configure on",
)
SET_PROMPTS = Offer(
    "~/set_prompts",
    "sensebind_msgs/srv/SetPrompts",
    "gives a set of classes, or goes over to one that was given before; from configure on",
)
ANSWERED = (EMBED_TEXT, SET_PROMPTS)
