# SPDX-License-Identifier: Apache-2.0
"""From torch modules to the clean ONNX graphs that bundles ship.

The same weights give the same bytes: names are numbered in graph order, and nothing of the
machine that built a graph (paths, stack traces, tool versions) stays in it.
"""
