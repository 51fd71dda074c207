# SPDX-License-Identifier: Apache-2.0
"""ImageBind's weights from the user's own file: names and shapes, reading, and the bundle.

Only facts of its checkpoint (names, shapes, constants) are used; none of its code.
"""
