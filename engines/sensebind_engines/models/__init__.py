# SPDX-License-Identifier: Apache-2.0
"""Network modules in torch: what is trained, and what an exported graph is checked against.

`config` and `sizes` say what an encoder is and need no torch; `build` makes it.
"""
