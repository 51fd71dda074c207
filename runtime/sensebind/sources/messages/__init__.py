# SPDX-License-Identifier: Apache-2.0
"""What one serialized message holds: readings, frames, sounds."""
