# SPDX-License-Identifier: Apache-2.0
"""From a bundle's graphs to TensorRT plans on the machine that runs them: no torch in here."""
