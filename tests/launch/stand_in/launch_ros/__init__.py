# SPDX-License-Identifier: Apache-2.0
"""Stands in for ROS 2's launch_ros package; see the stand-in for launch."""
