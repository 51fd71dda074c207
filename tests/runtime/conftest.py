# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the runtime's tests."""

from __future__ import annotations

from tests.support.bundles import bundle_copy, bundle_folder

__all__ = ["bundle_copy", "bundle_folder"]
