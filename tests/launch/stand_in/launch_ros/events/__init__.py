# SPDX-License-Identifier: Apache-2.0
"""Events of the launch_ros package."""
