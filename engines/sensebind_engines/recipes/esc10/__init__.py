# SPDX-License-Identifier: Apache-2.0
"""Environmental sounds bound to text: ESC-10 (Piczak 2015), real recordings of ten classes."""
