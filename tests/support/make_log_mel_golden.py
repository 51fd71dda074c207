# SPDX-License-Identifier: Apache-2.0
"""Store what torchaudio makes of the test signals.

Run in an environment with torch 2.9.1 and torchaudio 2.9.1, from the checkout:

    PYTHONPATH=runtime:. python -m tests.support.make_log_mel_golden

writes tests/runtime/preprocess/golden/torchaudio_fbank.npz: for each signal of
`tests.support.log_mel.signals` float32 (128, 48), `torchaudio.compliance.kaldi.fbank` with
ImageBind's arguments, transposed; the logarithms themselves, not normalised.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torchaudio.compliance import kaldi

from tests.support.log_mel import GOLDEN, RATE_HZ, signals


def fbank(samples: np.typing.NDArray[np.float32]) -> np.typing.NDArray[np.float32]:
    """Features float32 (128, frames)."""
    made = kaldi.fbank(
        torch.from_numpy(samples)[None],
        htk_compat=True,
        sample_frequency=RATE_HZ,
        use_energy=False,
        window_type="hanning",
        num_mel_bins=128,
        dither=0.0,
        frame_shift=10,
    )
    transposed: np.typing.NDArray[np.float32] = made.numpy().T
    return transposed


if __name__ == "__main__":
    torch.set_num_threads(1)
    GOLDEN.parent.mkdir(exist_ok=True)
    made: dict[str, Any] = {name: fbank(samples) for name, samples in signals().items()}
    np.savez_compressed(GOLDEN, **made)
