# SPDX-License-Identifier: Apache-2.0
"""The EMULATED GPU."""

from tests.support.emulated.fixtures import emulated

__all__ = ["emulated"]
