# SPDX-License-Identifier: Apache-2.0
"""Windows to features, one definition for training, recordings and live use."""
