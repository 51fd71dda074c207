# SPDX-License-Identifier: Apache-2.0
"""The SIMULATED thermal camera of the recording: the training scenes' model, in one hall.

Temperatures are drawn once per run, by class for the things of `scene.PLACES` and about the air's
for everything else; what a frame adds is the camera's noise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensebind_engines.recipes.object_scenes import thermal
from sensebind_engines.recipes.sample_recording.scene import PLACES

if TYPE_CHECKING:
    from collections.abc import Mapping

    import mujoco
    from numpy.typing import NDArray


class HallTemperatures:
    """Apparent temperature of every geometry of the hall."""

    def __init__(self, model: mujoco.MjModel, rng: np.random.Generator) -> None:
        air_c = float(rng.uniform(*thermal.AIR_C))
        self._c = air_c + rng.normal(0.0, thermal.SURFACE_SPREAD_C, model.ngeom)
        for place in PLACES:
            body = model.body(place.label)
            first, count = int(body.geomadr[0]), int(body.geomnum[0])
            own = thermal.part_temperatures_c(place.label, count, air_c, rng)
            self._c[first : first + count] = own
        self._sky_c = air_c - float(rng.uniform(*thermal.SKY_BELOW_AIR_C))
        self.air_c = air_c

    def frame(
        self,
        surface: NDArray[np.int64],
        depth_m: NDArray[np.float32],
        rng: np.random.Generator,
    ) -> NDArray[np.uint16]:
        """What the camera reports.

        Args:
            surface: int64 [h, w], the geometry seen in each pixel, -1 for none.
            depth_m: [h, w] distance in metres.
            rng: draws the noise.

        Returns:
            uint16 [60, 80], hundredths of a kelvin.
        """
        seen_c = np.where(surface < 0, self._sky_c, self._c[surface])
        return thermal.measured_centikelvin(seen_c, depth_m, rng)

    def of_places(self, model: mujoco.MjModel) -> Mapping[str, float]:
        """The warmest part of each thing, for the truth, degrees Celsius."""
        warmest = {}
        for place in PLACES:
            body = model.body(place.label)
            first, count = int(body.geomadr[0]), int(body.geomnum[0])
            warmest[place.label] = round(float(self._c[first : first + count].max()), 2)
        return warmest
