# SPDX-License-Identifier: Apache-2.0
"""Sounds bound to text: real recordings, rendered instruments and synthesised events together."""
