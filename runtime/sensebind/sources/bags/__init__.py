# SPDX-License-Identifier: Apache-2.0
"""Recordings in any container: topics of serialized messages to blocks."""
