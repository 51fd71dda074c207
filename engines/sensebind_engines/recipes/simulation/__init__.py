# SPDX-License-Identifier: Apache-2.0
"""Simulated robot episodes: robot, floors, behaviours, sensors and labels (needs mujoco)."""
