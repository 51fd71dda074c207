# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests with real processes over real DDS; without rclpy none is collected."""

from __future__ import annotations

from importlib.util import find_spec

from tests.ros_nodes.processes.conftest import _domain, examiner

__all__ = ["_domain", "examiner"]

collect_ignore_glob = [] if find_spec("rclpy") else ["*"]
