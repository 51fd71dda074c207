# SPDX-License-Identifier: Apache-2.0
"""`python -m sensebind` is the command `sensebind`."""

from sensebind.cli import main

main()
