# SPDX-License-Identifier: Apache-2.0
"""Network modules in torch: what is trained, and what an exported graph is checked against."""
