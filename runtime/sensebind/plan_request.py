# SPDX-License-Identifier: Apache-2.0
"""What a bundle's encoder asks of a TensorRT plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET

from sensebind.backends.tensorrt.choice import PlanRequest
from sensebind.specs import LEAST_ENGINE_COSINE

if TYPE_CHECKING:
    from sensebind.bundle_folder import BundleFolder
    from sensebind.types import Modality


def plan_request(folder: BundleFolder, modality: Modality) -> PlanRequest:
    """Any graph of the encoder will do, with vectors as close to the golden ones as it says.

    Raises:
        BundleError: if the bundle has no such encoder.
    """
    asked = folder.encoder(modality).engine_cosine
    files = folder.manifest.files
    return PlanRequest(
        bundle=folder.manifest.name,
        argument=folder.argument,
        modality=modality,
        graphs=tuple(
            tuple(files[name].sha256 for name in names)
            for names in folder.graphs(modality).values()
        ),
        least_cosine=LEAST_ENGINE_COSINE if asked is UNSET else asked,
    )
