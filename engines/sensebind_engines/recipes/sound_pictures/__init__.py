# SPDX-License-Identifier: Apache-2.0
"""Sounds bound to pictures of what makes them, and to no text: the emergent audio experiment."""
