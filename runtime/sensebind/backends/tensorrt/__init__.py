# SPDX-License-Identifier: Apache-2.0
"""Plans on an NVIDIA GPU: which of them fits, and the engines that run them.

Nothing here imports TensorRT or pycuda before a plan is asked for.
"""
