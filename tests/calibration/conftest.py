# SPDX-License-Identifier: Apache-2.0
"""Fixtures of calibration's tests."""

from __future__ import annotations

from tests.support.pulse import server

__all__ = ["server"]
