# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests with devices."""

from __future__ import annotations

from tests.support.pulse import server

__all__ = ["server"]
