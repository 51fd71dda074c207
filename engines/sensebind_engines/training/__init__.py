# SPDX-License-Identifier: Apache-2.0
"""The PyTorch training module: losses and a deterministic loop."""
