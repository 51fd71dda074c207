# SPDX-License-Identifier: Apache-2.0
"""The natural logarithm in single precision, for loops that compilers can make parallel.

x = 2^e · m with √½ <= m < √2 gives ln x = e ln 2 + ln m, and with z = m - 1
ln(1 + z) = z - z²/2 + z³ Q(z). Q was fitted to this on z in [√½ - 1, √2 - 1] by least squares,
reweighted to level the relative error of the logarithm (at most 6e-9), and rounded to float32;
the result is within 0.8 unit in the last place with fused multiplications, 3 without.
"""

LOG_TERMS = (
    0.333333313, -0.250008196, 0.200012192, -0.166234091,
    0.142019808, -0.13159883, 0.127598196, -0.0763309523,
)  # fmt: skip
"""Q's coefficients, the constant first."""

LN2_HIGH = 0.693359375
"""ln 2 in so few bits that e · LN2_HIGH is exact."""

LN2_LOW = -2.12194440e-4
"""ln 2 - LN2_HIGH."""

SQRT_HALF_BITS = 0x3F3504F3
"""√½ as the bits of a float32."""
