# SPDX-License-Identifier: Apache-2.0
"""A calibration file as one picture, or as one page of HTML that needs nothing else."""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING, Any, NamedTuple

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from sensebind_calibration.drawings import DRAWINGS
from sensebind_calibration.kinds import KINDS
from sensebind_calibration.writing import written

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_WIDTH_IN, _HEIGHT_IN, _DPI = 12.0, 4.0, 110
_STYLE = "body{font-family:sans-serif;max-width:1340px;margin:auto}img{max-width:100%}"


class Shown(NamedTuple):
    """A section of a file."""

    kind: str
    stream: str
    section: Any


def draw_file(path: Path, sections: Sequence[Shown], file: Path) -> None:
    """Write a PNG with a row for each section.

    Args:
        path: of the picture.
        sections: at least one.
        file: the calibration file.

    Raises:
        InputError: if a map of invalid pixels is missing or another one.
        SinkError: if it cannot be written.
    """
    with written(path) as temporary:
        _figure(sections, file).savefig(temporary, format="png")


def write_page(path: Path, sections: Sequence[Shown], file: Path) -> None:
    """Write an HTML page with the card and picture of each section.

    Args:
        path: of the page.
        sections: at least one.
        file: the calibration file.

    Raises:
        InputError: if a map of invalid pixels is missing or another one.
        SinkError: if it cannot be written.
    """
    title = html.escape(file.name)
    parts = [f"<h1>{title}</h1>"]
    for shown in sections:
        buffer = io.BytesIO()
        _figure([shown], file).savefig(buffer, format="png")
        picture = base64.b64encode(buffer.getvalue()).decode()
        card = html.escape(KINDS[shown.kind].card(shown.stream, shown.section))
        heading = html.escape(f"{shown.kind} {shown.stream}")
        parts += [
            f"<h2>{heading}</h2>",
            f"<pre>{card}</pre>",
            f'<img alt="{heading}" src="data:image/png;base64,{picture}">',
        ]
    body = "\n".join(parts)
    page = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{title}</title><style>{_STYLE}</style></head>\n"
        f"<body>\n{body}\n</body></html>\n"
    )
    with written(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _figure(sections: Sequence[Shown], file: Path) -> Figure:
    drawn = [shown for shown in sections if shown.kind in DRAWINGS]
    size = (_WIDTH_IN, _HEIGHT_IN * max(1, len(drawn)))
    figure = Figure(figsize=size, dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    rows = figure.subfigures(max(1, len(drawn)), 1, squeeze=False)
    for shown, (row,) in zip(drawn, rows, strict=False):
        row.suptitle(f"{shown.kind} {shown.stream}")
        DRAWINGS[shown.kind](row, shown.section, file)
    return figure
