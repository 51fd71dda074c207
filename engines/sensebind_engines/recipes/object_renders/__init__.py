# SPDX-License-Identifier: Apache-2.0
"""A data set of named 3-D models as colour and depth pictures, for binding depth to images."""
