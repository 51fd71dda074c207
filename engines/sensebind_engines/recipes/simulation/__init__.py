# SPDX-License-Identifier: Apache-2.0
"""Simulated robot episodes: the robot, its floors, behaviours, sensors and labels (needs mujoco)."""
