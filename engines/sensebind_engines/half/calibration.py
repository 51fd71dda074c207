# SPDX-License-Identifier: Apache-2.0
"""Features like those an encoder will meet: some of those it was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sensebind.errors import InputError
from sensebind_engines.data.paired import ManifestData

if TYPE_CHECKING:
    from sensebind.specs import EncoderSpec
    from sensebind.types import Features, Modality
    from sensebind_engines.training.config import GraphConfig


def training_features(
    config: GraphConfig, encoder: EncoderSpec, modality: Modality, rows: int
) -> Features:
    """Up to `rows` items of the first data set that has the modality, evenly chosen.

    Raises:
        InputError: the data are not where the configuration says, or none has the modality.
    """
    names = [edge.data for edge in config.edges if modality.value in edge.pair]
    if not names or names[0] not in config.data:
        raise InputError(
            f"the run's configuration places no data with {modality.value!r}, on which half "
            "and INT8 graphs have to be measured; export without --fp16 and --int8"
        )
    data = ManifestData(config.data[names[0]], {modality: encoder}, folder=Path.cwd())
    chosen = np.unique(np.linspace(0, len(data) - 1, rows).astype(np.int64))
    batch = data.batch(chosen, None)
    return {name: tensor.numpy() for name, tensor in batch.features[modality].items()}
