# SPDX-License-Identifier: Apache-2.0
"""Audio of any rate at the rate of the front end, as a stream.

The filter is libsoxr's "HQ" (linear phase). Its delay is compensated: output sample m stands for
the instant m / rate_out after the first input sample, so stamps stay exact. How the input is cut
into pieces changes neither the output's values nor, in sum, their number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from soxr import ResampleStream

if TYPE_CHECKING:
    from fractions import Fraction

    from numpy.typing import NDArray

QUALITY = "HQ"


class Resampler:
    """Resamples one segment of mono audio; a new segment needs a new one."""

    def __init__(self, rate_in_hz: Fraction, rate_out_hz: Fraction) -> None:
        self._stream = ResampleStream(
            float(rate_in_hz), float(rate_out_hz), 1, dtype="float32", quality=QUALITY
        )

    def push(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take values (n, 1) and return those that are settled, (m, 1).

        The newest few hundredths of a second stay inside until more comes.
        """
        return self._run(values, last=False)

    def finish(self) -> NDArray[np.float32]:
        """The rest, as if zeros followed; nothing may be pushed afterwards."""
        return self._run(np.empty((0, 1), np.float32), last=True)

    def _run(self, values: NDArray[np.float32], *, last: bool) -> NDArray[np.float32]:
        settled: NDArray[np.float32] = self._stream.resample_chunk(
            np.ascontiguousarray(values[:, 0]), last=last
        )
        return settled[:, np.newaxis]
