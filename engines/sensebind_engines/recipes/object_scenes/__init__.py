# SPDX-License-Identifier: Apache-2.0
"""Named 3-D models in rooms as colour, measured depth and simulated thermal pictures."""
