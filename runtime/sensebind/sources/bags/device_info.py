# SPDX-License-Identifier: Apache-2.0
"""The serial number of the RealSense camera that a stream comes from, as its recorder writes it.

The topic `/device_N/info` holds diagnostic_msgs/KeyValue messages, one of them with the key "Serial
Number" (looked at in a ROS 1 bag of a D435).
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from sensebind.sources.bags.containers import first_messages
from sensebind.sources.messages.wire import Cursor, DecodeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sensebind.sources.bags.containers import Container, Topic

_DEVICE = re.compile(r"(/device_\d+)/.*")
_KEY = "Serial Number"
_MOST_MESSAGES = 50


def serial_of(container: Container, topics: Mapping[str, Topic], stream: str) -> str:
    """Serial number of a stream's camera, "" if the recording does not tell it."""
    match = _DEVICE.fullmatch(stream)
    topic = topics.get(f"{match[1]}/info") if match else None
    if topic is None or not topic.message_type.endswith("KeyValue"):
        return ""
    for message in first_messages(container, topic.name, _MOST_MESSAGES):
        with suppress(DecodeError):
            cursor = Cursor(message.data, topic.layout)
            if cursor.text() == _KEY:
                return cursor.text()
    return ""
