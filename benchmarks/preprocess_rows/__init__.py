# SPDX-License-Identifier: Apache-2.0
"""The rows of `benchmarks/preprocess.py`, one module per front end.

Each module has `def rows() -> list[Row]`. Peers are imported inside it, so that a missing one
takes away its module's rows only.
"""
