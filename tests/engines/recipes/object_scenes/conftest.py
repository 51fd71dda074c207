# SPDX-License-Identifier: Apache-2.0
"""Chooses the headless renderer before any test module here imports mujoco, which reads it then."""

from __future__ import annotations

import os

os.environ.setdefault("MUJOCO_GL", "egl")
