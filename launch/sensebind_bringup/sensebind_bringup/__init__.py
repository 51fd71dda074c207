# SPDX-License-Identifier: Apache-2.0
"""How SenseBind's processes are started: plans, and a supervisor that needs no launch package."""
