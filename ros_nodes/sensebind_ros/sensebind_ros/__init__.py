# SPDX-License-Identifier: Apache-2.0
"""SenseBind as a ROS 2 lifecycle node; the algorithms are those of the `sensebind` package."""
