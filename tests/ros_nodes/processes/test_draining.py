# SPDX-License-Identifier: Apache-2.0
"""What waits in the middleware's queues when subscriptions end."""

from __future__ import annotations

from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest

from sensebind_ros.source import Topic

if TYPE_CHECKING:
    from tests.support.ros import Examiner

pytestmark = pytest.mark.ros

WAITING = 50
PATIENCE_S = 30.0


def test_what_waits_is_taken_before_the_end(examiner: Examiner) -> None:
    from rclpy.duration import Duration
    from rclpy.qos import QoSProfile
    from std_msgs.msg import String

    from sensebind_ros.inputs import Inputs

    inputs = Inputs(examiner.node)
    topic = Topic("/words", "words", "std_msgs/msg/String")
    began, go_on = Event(), Event()

    def take(_: bytes) -> None:
        topic.received += 1
        began.set()
        assert go_on.wait(PATIENCE_S)

    qos = QoSProfile(depth=WAITING)  # reliable
    inputs.subscribe(topic, qos, take)
    words = examiner.node.create_publisher(String, "/words", qos)
    examiner.until(lambda: words.get_subscription_count() > 0)
    words.publish(String(data="first"))
    assert began.wait(PATIENCE_S)
    for _ in range(WAITING):
        words.publish(String(data="more"))
    assert words.wait_for_all_acked(Duration(seconds=PATIENCE_S))
    closing = Thread(target=inputs.close)
    closing.start()
    while not inputs._stopping:
        examiner.spin()
    go_on.set()
    closing.join(PATIENCE_S)
    assert topic.received == 1 + WAITING
    examiner.node.destroy_publisher(words)
