# SPDX-License-Identifier: Apache-2.0
"""Half precision: from a clean FP32 graph to one with half weights and FP32 islands."""
