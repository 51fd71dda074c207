# SPDX-License-Identifier: Apache-2.0
"""How well a bundle's modalities name and find each other, measured, with chance and intervals."""
