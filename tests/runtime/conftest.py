# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the runtime's tests."""

from __future__ import annotations

from tests.support.bundles import bundle_copy as bundle_copy
from tests.support.bundles import bundle_folder as bundle_folder
