# SPDX-License-Identifier: Apache-2.0
"""The sample recording with known truth: a simulated robot that sees, hears and feels a hall.

`build` makes it; `episode` is the script, `scene` the hall, `truth` what must be recognised.
"""
