# SPDX-License-Identifier: Apache-2.0
"""A bundle of ImageBind-size encoders with random weights: as slow as the real ones.

Made once, by `python -m benchmarks._imagebind FOLDER` (extra `train`); timings need no more of it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from sensebind.types import Modality
from sensebind_engines.models.build import build_encoder
from sensebind_engines.models.sizes import default_config

if TYPE_CHECKING:
    from sensebind_engines.models.encoder import Encoder

SENSES = (Modality.AUDIO, Modality.IMU, Modality.DEPTH)


def eager(modality: Modality) -> Encoder:
    """The encoder in PyTorch; the same weights every time."""
    torch.manual_seed(0)
    encoder = build_encoder(default_config(modality, "imagebind"))
    encoder.eval()
    return encoder


def build(folder: Path) -> Path:
    """Write the bundle; about half a gigabyte."""
    from sensebind_engines.export.bundle import new_bundle  # needs onnx, which timings do not

    with new_bundle(folder) as draft:
        for modality in SENSES:
            draft.export(eager(modality), batches=(1,))
        draft.finish(name="imagebind-size", anchor=SENSES[:1], licence="Apache-2.0", kind="test")
    return folder


def main() -> None:
    """Build the bundle in the folder given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    print(build(parser.parse_args().folder))


if __name__ == "__main__":
    main()
