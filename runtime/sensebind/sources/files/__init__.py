# SPDX-License-Identifier: Apache-2.0
"""Plain files as streams: pictures, sound, tables of readings."""
