# SPDX-License-Identifier: Apache-2.0
"""Motion of simulated robots bound to text: what a robot does, told from its IMU."""
