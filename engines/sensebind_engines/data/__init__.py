# SPDX-License-Identifier: Apache-2.0
"""Paired data for training and evaluation, cut and preprocessed by the runtime's own code."""
