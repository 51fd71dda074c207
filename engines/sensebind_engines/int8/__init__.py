# SPDX-License-Identifier: Apache-2.0
"""INT8 for CPUs: from a clean FP32 graph to one whose products are taken of integers."""
