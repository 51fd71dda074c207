# SPDX-License-Identifier: Apache-2.0
"""The matrix as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Rectangle

from sensebind.storage import atomic_path

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind_engines.evaluation.results import Cell, Evaluation

_EDGES = {"anchor": "#444444", "trained": "#1b6ca8", "emergent": "#d1495b", "unbound": "#bbbbbb"}
_INCHES_PER_CELL = 1.35


def beyond_chance(cell: Cell) -> float:
    """Share of the way from chance to perfect, nan where nothing was measured."""
    figure = cell.figure
    if figure is None or figure.value is None or figure.chance is None or figure.chance >= 1:
        return float("nan")
    return (figure.value - figure.chance) / (1 - figure.chance)


def write_heat_map(evaluation: Evaluation, path: Path) -> None:
    """Draw queries by targets: colour is the share of the way from chance to perfect.

    The frame of a cell tells the relation: trained, emergent, the anchor's own, or unbound.
    """
    names = list(dict.fromkeys(cell.query for cell in evaluation.matrix))
    values = np.full((len(names), len(names)), np.nan)
    for cell in evaluation.matrix:
        values[names.index(cell.query), names.index(cell.target)] = beyond_chance(cell)
    side = _INCHES_PER_CELL * len(names)
    canvas = Canvas(figsize=(side + 2.2, side + 1.4), layout="constrained")
    axes = canvas.add_subplot()
    colours = mpl.colormaps["viridis"].with_extremes(bad="#f2f2f2")
    image = axes.imshow(np.ma.masked_invalid(values), vmin=0, vmax=1, cmap=colours)
    canvas.colorbar(image, ax=axes, label="from chance (0) to perfect (1)", shrink=0.8)
    for cell in evaluation.matrix:
        row, column = names.index(cell.query), names.index(cell.target)
        frame = Rectangle((column - 0.46, row - 0.46), 0.92, 0.92, fill=False, lw=2.5)
        frame.set_edgecolor(_EDGES[cell.relation])
        axes.add_patch(frame)
        light = not values[row, column] > 0.6
        colour = "white" if light and np.isfinite(values[row, column]) else "black"
        axes.text(column, row, _told(cell), ha="center", va="center", fontsize=8, color=colour)
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("target (what is found)")
    axes.set_ylabel("query")
    axes.set_title(f"{evaluation.bundle} on {evaluation.data}")
    handles = [Rectangle((0, 0), 1, 1, fill=False, ec=c, lw=2.5) for c in _EDGES.values()]
    axes.legend(handles, list(_EDGES), loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=4)
    with atomic_path(path) as temporary:
        canvas.savefig(temporary, format="png", dpi=120)


def _told(cell: Cell) -> str:
    figure = cell.figure
    if figure is None or figure.value is None:
        return cell.relation
    chance = "" if figure.chance is None else f"chance {figure.chance:.2f}\n"
    return f"{cell.measure}\n{figure.value:.2f}\n{chance}n {figure.n}\n{cell.relation}"
