# SPDX-License-Identifier: Apache-2.0
"""Pictures of calibrations.

Matplotlib is imported here and nowhere else, with the file-only Agg renderer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from sensebind_calibration.writing import written

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from sensebind_calibration.allan import AllanCurve
    from sensebind_calibration.sections import AllanSection, SensorNoise

# Paul Tol's "high-contrast" scheme (SRON/EPS/TN/09-002, issue 3.2, 2021).
COLOURS = ("#004488", "#ddaa33", "#bb5566")


def draw_allan(path: Path, curve: AllanCurve, section: AllanSection, title: str) -> None:
    """Write a PNG: Allan deviation over span, log-log, with what was read off it.

    Raises:
        SinkError: if it cannot be written.
    """
    figure = Figure(figsize=(12, 5.5), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    panels = figure.subplots(1, 2)
    _panel(panels[0], curve, slice(0, 3), section.accelerometer, "accelerometer, m/s²")
    _panel(panels[1], curve, slice(3, 6), section.gyroscope, "gyroscope, rad/s")
    with written(path) as temporary:
        figure.savefig(temporary, format="png")


def _panel(axes: Axes, curve: AllanCurve, rows: slice, noise: SensorNoise, title: str) -> None:
    taus_s = curve.taus_s
    for place, deviations in enumerate(curve.deviations[rows]):
        colour = COLOURS[place]
        density, walk = noise.noise_density[place], noise.random_walk[place]
        label = f"{'xyz'[place]}: N {density:.3g}/√Hz, least {noise.minimum[place]:.3g}"
        axes.loglog(taus_s, deviations, color=colour, linewidth=1.6, label=label)
        axes.loglog(taus_s, density / np.sqrt(taus_s), color=colour, linewidth=0.8, linestyle="--")
        if walk > 0:
            axes.loglog(
                taus_s, walk * np.sqrt(taus_s / 3), color=colour, linewidth=0.8, linestyle=":"
            )
    lowest, highest = curve.deviations[rows].min(), curve.deviations[rows].max()
    axes.set_ylim(lowest / 2, highest * 2)
    axes.set_title(title)
    axes.set_xlabel("span, s (dashed: white noise N/√τ, dotted: random walk K√(τ/3))")
    axes.set_ylabel("Allan deviation")
    axes.grid(visible=True, which="both", linewidth=0.3)
    axes.legend()
