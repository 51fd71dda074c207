# SPDX-License-Identifier: Apache-2.0
"""Calibration: estimators for IMU, microphone, depth, thermal, clocks and score thresholds.

They read recordings through the runtime and write the calibration files that the runtime applies;
they import the runtime and nothing of the factory, so they also run on the robot.
"""
