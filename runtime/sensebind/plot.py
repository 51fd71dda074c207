# SPDX-License-Identifier: Apache-2.0
"""One picture of a run: what the senses delivered, and what was said about it, over time.

Matplotlib is imported here and nowhere else, with the file-only Agg renderer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from sensebind.storage import atomic_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

# Paul Tol's "muted", "light" and "high-contrast" schemes, distinct for colour-blind readers
# (SRON/EPS/TN/09-002, issue 3.2, 2021).
_CLASS_COLOURS = (
    "#88ccee", "#ddcc77", "#44aa99", "#cc6677", "#332288", "#882255", "#117733", "#999933",
    "#aa4499", "#ee8866", "#77aadd", "#bbcc33",
)  # fmt: skip
_AXIS_COLOURS = ("#004488", "#ddaa33", "#bb5566")
_OTHER_COLOUR = "#dddddd"
_INK, _FAINT, _RULE = "#222222", "#777777", "#cccccc"
_RIGHT_COLOUR, _WRONG_COLOUR = "#117733", "#bb3344"

_DPI = 100
_WIDTH_IN = 16.0
_LEFT_IN, _RIGHT_IN, _TOP_IN, _BOTTOM_IN = 1.45, 0.3, 1.5, 0.6
_INNER_IN = _WIDTH_IN - _LEFT_IN - _RIGHT_IN
_GAP_IN, _STREAM_GAP_IN = 0.14, 0.62
_SIGNAL_IN, _BANDS_IN, _SCORES_IN, _PAIRS_IN = 0.95, 0.62, 0.6, 1.3
_HIGHEST_PICTURE_IN = 2.0
_PICTURE_GAP_IN = 0.06
_OUTLIERS_PERCENT = 0.1  # of a signal, at each end, may leave its row
_CHARACTER_IN = 0.082  # width of a letter at the size of band labels


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame taken at `time_s`: uint8 (h, w, 3) RGB, or values float (h, w), NaN where unknown.

    `colours` is Matplotlib's name of the colours that values are drawn in, low to high.
    """

    time_s: float
    pixels: NDArray[np.uint8] | NDArray[np.float32]
    colours: str = "viridis"


@dataclass(frozen=True, slots=True)
class Spectrogram:
    """Levels (bins, columns) in dB, from 0 to `top_khz` and from 0 to `end_s`."""

    top_khz: float
    end_s: float
    levels_db: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Pair:
    """A question and what was found, with a caption under them."""

    asked: Picture
    found: Picture
    caption: str
    right: bool


@dataclass(frozen=True, slots=True)
class Signal:
    """Curves over time: `values` (n, k) at `times_s` (n,), one name per curve."""

    title: str
    names: tuple[str, ...]
    times_s: NDArray[np.float64]
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Span:
    """A label from `start_s` to `end_s`; `sure` spans are drawn strong, the others pale."""

    start_s: float
    end_s: float
    label: str
    sure: bool = True


@dataclass(frozen=True, slots=True)
class Labels:
    """Truth and labels of a stream, and the scores (n, classes) of its windows over time."""

    truth: tuple[Span, ...]
    given: tuple[Span, ...]
    classes: tuple[str, ...]
    times_s: NDArray[np.float64]
    scores: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class StreamRow:
    """All that is drawn of one stream; what is empty or None is left out."""

    title: str
    note: str
    pictures: tuple[Picture, ...] = ()
    signals: tuple[Signal, ...] = ()
    labels: Labels | None = None
    spectrogram: Spectrogram | None = None
    pairs: tuple[Pair, ...] = ()


def draw(
    path: Path, title: str, subtitle: str, streams: Sequence[StreamRow], duration_s: float
) -> None:
    """Draw streams under each other over a common time axis and write a PNG file.

    Args:
        path: the file; an earlier one is replaced only by a complete one.
        title: heading.
        subtitle: a line under it.
        streams: from top to bottom; at least one.
        duration_s: length of the time axis.

    Raises:
        OSError: if the file cannot be written.
    """
    heights = [_heights(stream) for stream in streams]
    inner_in = sum(sum(h) + _GAP_IN * (len(h) - 1) for h in heights)
    height_in = _TOP_IN + inner_in + _STREAM_GAP_IN * (len(streams) - 1) + _BOTTOM_IN
    figure = Figure(figsize=(_WIDTH_IN, height_in), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    page = _Page(figure, height_in, duration_s)
    page.heading(title, subtitle)
    for stream, sizes in zip(streams, heights, strict=True):
        _draw_stream(page, stream, sizes)
        page.skip(_STREAM_GAP_IN - _GAP_IN)
    page.time_axis()
    with atomic_path(path) as temporary:
        # Without the version of Matplotlib, equal pictures are equal files.
        figure.savefig(temporary, format="png", metadata={"Software": None})


class _Page:
    """Hands out axes from top to bottom, in inches."""

    def __init__(self, figure: Figure, height_in: float, duration_s: float) -> None:
        self._figure = figure
        self._height_in = height_in
        self._top_in = _TOP_IN
        self.duration_s = duration_s
        self._last: Axes | None = None

    def heading(self, title: str, subtitle: str) -> None:
        left = 0.3 / _WIDTH_IN
        self._figure.text(left, 1 - 0.42 / self._height_in, title, fontsize=19, color=_INK,
                          weight="bold", va="center")  # fmt: skip
        self._figure.text(left, 1 - 0.74 / self._height_in, subtitle, fontsize=12, color=_FAINT,
                          va="center")  # fmt: skip

    def axes(self, height_in: float, name: str) -> Axes:
        bottom = 1 - (self._top_in + height_in) / self._height_in
        width = _INNER_IN / _WIDTH_IN
        axes = self._figure.add_axes(
            (_LEFT_IN / _WIDTH_IN, bottom, width, height_in / self._height_in)
        )
        axes.set_xlim(0, self.duration_s)
        axes.tick_params(length=0, labelsize=9, labelcolor=_FAINT, labelbottom=False)
        for side in axes.spines.values():
            side.set_visible(False)
        self.margin(name, 1 - (self._top_in + height_in / 2) / self._height_in)
        self._top_in += height_in + _GAP_IN
        self._last = axes
        return axes

    def margin(self, name: str, height: float) -> None:
        self._figure.text(0.3 / _WIDTH_IN, height, name, fontsize=10, color=_FAINT, va="center")

    def stream_title(self, title: str, note: str) -> None:
        height = 1 - (self._top_in - 0.17) / self._height_in
        text = self._figure.text(0.3 / _WIDTH_IN, height, title, fontsize=12.5, color=_INK,
                                 weight="bold", va="center")  # fmt: skip
        right = text.get_window_extent().x1 / (_WIDTH_IN * _DPI)
        self._figure.text(right + 0.012, height, note, fontsize=11, color=_FAINT, va="center")

    def skip(self, height_in: float) -> None:
        self._top_in += height_in

    def time_axis(self) -> None:
        if self._last is None:
            return
        self._last.spines["bottom"].set_visible(True)
        self._last.spines["bottom"].set_color(_RULE)
        self._last.tick_params(axis="x", labelbottom=True, length=3, color=_RULE)
        self._last.set_xlabel("seconds", fontsize=10, color=_FAINT)


def _heights(stream: StreamRow) -> list[float]:
    heights = [_picture_height(stream.pictures)] if stream.pictures else []
    heights += [_SIGNAL_IN] * (len(stream.signals) + (stream.spectrogram is not None))
    heights += [_BANDS_IN, _SCORES_IN] if stream.labels else []
    return heights + ([_PAIRS_IN] if stream.pairs else [])


def _draw_stream(page: _Page, stream: StreamRow, heights: list[float]) -> None:
    sizes = iter(heights)
    page.stream_title(stream.title, stream.note)
    if stream.pictures:
        _draw_pictures(page.axes(next(sizes), "camera"), stream.pictures)
    if stream.spectrogram:
        _draw_spectrogram(page.axes(next(sizes), "sound\nkHz"), stream.spectrogram)
    for signal in stream.signals:
        _draw_signal(page.axes(next(sizes), signal.title), signal)
    if stream.labels:
        colours = _colours(stream.labels)
        _draw_bands(page.axes(next(sizes), ""), stream.labels, colours)
        _draw_scores(page.axes(next(sizes), "scores"), stream.labels, colours)
    if stream.pairs:
        _draw_pairs(page.axes(next(sizes), "asked,\nfound"), stream.pairs)


def _picture_height(pictures: Sequence[Picture]) -> float:
    """The height in inches at which pictures evenly spread over the time axis just not touch."""
    aspect: float = max(p.pixels.shape[1] / p.pixels.shape[0] for p in pictures)
    return min((_INNER_IN / len(pictures) - _PICTURE_GAP_IN) / aspect, _HIGHEST_PICTURE_IN)


def _draw_pictures(axes: Axes, pictures: Sequence[Picture]) -> None:
    """Pictures in the middle of their times."""
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    axes.set_autoscale_on(False)
    seconds_per_height = axes.get_xlim()[1] / _INNER_IN * _picture_height(pictures)
    for picture in pictures:
        height, width = picture.pixels.shape[:2]
        half = seconds_per_height * width / height / 2
        _show(axes, picture, (picture.time_s - half, picture.time_s + half, 0, 1))


def _show(axes: Axes, picture: Picture, span: tuple[float, float, float, float]) -> None:
    axes.imshow(picture.pixels, extent=span, aspect="auto", interpolation="antialiased",
                cmap=picture.colours)  # fmt: skip


def _draw_spectrogram(axes: Axes, spectrogram: Spectrogram) -> None:
    levels = spectrogram.levels_db
    low, high = np.percentile(levels, [5, 99.7])
    axes.imshow(levels, extent=(0, spectrogram.end_s, 0, spectrogram.top_khz), aspect="auto",
                origin="lower", cmap="magma", vmin=low, vmax=high)  # fmt: skip
    axes.set_xlim(0, axes.get_xlim()[1])
    axes.set_yticks([0, spectrogram.top_khz / 2, spectrogram.top_khz])


def _draw_pairs(axes: Axes, pairs: Sequence[Pair]) -> None:
    """Side by side, evenly spread, the captions below: green where right, red where not."""
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    axes.set_autoscale_on(False)
    cell = axes.get_xlim()[1] / len(pairs)
    seconds_per_in = axes.get_xlim()[1] / _INNER_IN
    for index, pair in enumerate(pairs):
        middle = (index + 0.5) * cell
        for picture, side in ((pair.asked, -1), (pair.found, 1)):
            height, width = picture.pixels.shape[:2]
            wide = min(_PAIRS_IN * 0.8 * seconds_per_in * width / height, 0.47 * cell)
            inner = middle + side * 0.01 * cell
            span = (inner - wide, inner) if side < 0 else (inner, inner + wide)
            _show(axes, picture, (*span, 0.2, 1))
        axes.text(middle, 0.07, pair.caption, fontsize=9.5, ha="center", va="center",
                  color=_RIGHT_COLOUR if pair.right else _WRONG_COLOUR)  # fmt: skip


def _draw_signal(axes: Axes, signal: Signal) -> None:
    for index, name in enumerate(signal.names):
        colour = _AXIS_COLOURS[index % len(_AXIS_COLOURS)]
        axes.plot(signal.times_s, signal.values[:, index], color=colour, lw=0.8, label=name)
    axes.axhline(0, color=_RULE, lw=0.6, zorder=0)
    low, high = np.percentile(signal.values, [_OUTLIERS_PERCENT, 100 - _OUTLIERS_PERCENT])
    spare = 0.15 * max(high - low, 1e-6)
    axes.set_ylim(low - spare, high + spare)
    axes.legend(
        loc="lower right", bbox_to_anchor=(1, 0.95), ncols=len(signal.names), frameon=False,
        fontsize=9, labelcolor=_FAINT, handlelength=1.0, borderpad=0, borderaxespad=0,
    )  # fmt: skip


def _draw_bands(axes: Axes, labels: Labels, colours: Mapping[str, str]) -> None:
    """Truth over labels, so that what differs shows as a change of colour."""
    axes.set_ylim(-0.05, 2)
    axes.set_yticks([1.5, 0.5], ["truth", "label"])
    axes.tick_params(labelsize=10)
    for bottom, spans in ((1.06, labels.truth), (0.06, labels.given)):
        for span in spans:
            _draw_span(axes, span, bottom, colours.get(span.label, _OTHER_COLOUR))


def _draw_span(axes: Axes, span: Span, bottom: float, colour: str) -> None:
    strength = 1.0 if span.sure else 0.35
    seconds = span.end_s - span.start_s
    axes.barh(bottom, seconds, 0.88, span.start_s, align="edge", color=colour, alpha=strength,
              edgecolor="white", lw=0.8)  # fmt: skip
    room_in = seconds / axes.get_xlim()[1] * _INNER_IN
    if len(span.label) * _CHARACTER_IN < room_in:
        red, green, blue = to_rgb(colour)
        # Relative luminance of sRGB, ITU-R BT.709 weights, on the white page.
        light = (0.2126 * red + 0.7152 * green + 0.0722 * blue) * strength + 1 - strength
        axes.text(span.start_s + seconds / 2, bottom + 0.42, span.label, fontsize=9.5, ha="center",
                  va="center", color=_INK if light > 0.5 else "white", clip_on=True)  # fmt: skip


def _draw_scores(axes: Axes, labels: Labels, colours: Mapping[str, str]) -> None:
    axes.set_ylim(0, 1.02)
    axes.set_yticks([0, 1])
    times_s, scores = _broken_at_gaps(labels.times_s, labels.scores)
    for index, name in enumerate(labels.classes):
        known = name in colours
        axes.plot(times_s, scores[:, index], lw=1.4 if known else 0.5,
                  color=colours.get(name, _OTHER_COLOUR), zorder=2 if known else 1)  # fmt: skip
    axes.axhline(0, color=_RULE, lw=0.6, zorder=0)


def _broken_at_gaps(
    times_s: NDArray[np.float64], scores: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Curves with a hole wherever windows are missing, instead of a line across it."""
    steps_s = np.diff(times_s)
    usual_s = np.median(steps_s) if len(steps_s) else 0.0
    after = np.flatnonzero(steps_s > 1.5 * usual_s) + 1
    return np.insert(times_s, after, np.nan), np.insert(scores, after, np.nan, axis=0)


def _colours(labels: Labels) -> dict[str, str]:
    """A colour for each class of the truth by first appearance; without a truth, of the labels."""
    names = dict.fromkeys(span.label for span in labels.truth or labels.given)
    return dict(zip(names, _CLASS_COLOURS, strict=False))
