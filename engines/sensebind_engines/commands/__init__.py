# SPDX-License-Identifier: Apache-2.0
"""The factory's commands, found by the entry-point group `sensebind.commands`."""
