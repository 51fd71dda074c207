# SPDX-License-Identifier: Apache-2.0
"""What the recorder is made of: a queue of bytes, messages and the file they go to."""
