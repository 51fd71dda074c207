# SPDX-License-Identifier: Apache-2.0
"""The factory: models, training, export and recipes (they need torch) and engine builds (no torch).

Nothing is imported here, so that ``sensebind_engines.tensorrt`` loads on a robot without torch.
"""
