# SPDX-License-Identifier: Apache-2.0
"""JSON files that are damaged."""

from __future__ import annotations

import msgspec

NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError)
"""What msgspec raises for bytes that are no JSON of the expected type, or no UTF-8 inside of it."""
