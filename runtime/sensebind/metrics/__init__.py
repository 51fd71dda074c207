# SPDX-License-Identifier: Apache-2.0
"""What a run costs: when each window passed which station, as percentiles, tables and traces."""
