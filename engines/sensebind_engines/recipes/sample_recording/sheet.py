# SPDX-License-Identifier: Apache-2.0
"""The recording on one page: camera, depth, sound, motion, and what is true when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sensebind_engines.recipes.sample_recording.audio import RATE_HZ
from sensebind_engines.recipes.sample_recording.episode import POSE_HZ, Performance
from sensebind_engines.recipes.sample_recording.render import DEPTH_EVERY, render_camera
from sensebind_engines.recipes.sample_recording.scene import OVERVIEW

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from sensebind_engines.recipes.sample_recording.bag import Streams
    from sensebind_engines.recipes.sample_recording.truth import Segment

_SHOWN = ("bump",)
"""Motions of which a picture is shown, beside one of everything that is looked at."""
_HALL_S = 33.0
_COLOURS = {
    "still": "#9aa5b1",
    "smooth": "#4c9be8",
    "rough": "#c98b3c",
    "spin": "#7b61c9",
    "bump": "#e0533d",
    "carried": "#3fae7a",
    "fallen": "#b5356b",
}
_SEEN, _HEARD = "#f2c14e", "#b9d3c2"
_ROWS = ("imu", "audio", "vision")
_INK = "#243040"
_XYZ = ("#d1495b", "#3a9d6e", "#2e6fbb")


def draw(path: Path, performance: Performance, streams: Streams, segments: list[Segment]) -> None:
    """Write the contact sheet as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 7.6), facecolor="white")
    FigureCanvasAgg(figure)
    page = figure.add_gridspec(
        2, 1, height_ratios=(2.3, 4.1), hspace=0.07, left=0.065, right=0.99, top=0.92, bottom=0.06
    )
    moments = _moments(segments)
    above = page[0].subgridspec(2, len(moments) + 2, hspace=0.06, wspace=0.05)
    _hall(figure.add_subplot(above[:, :2]), performance)
    _pictures(figure, above, streams, moments)
    below = page[1].subgridspec(4, 1, height_ratios=(1.0, 1.1, 1.1, 1.1), hspace=0.14)
    axes = [figure.add_subplot(below[row]) for row in range(4)]
    _timeline(axes[0], segments)
    _motion(axes[1], streams, 0, 25.0, "acc. m/s²")
    _motion(axes[2], streams, 3, 4.0, "gyro rad/s")
    _sound(axes[3], streams)
    for axis in axes:
        _dress(axis, performance.spans[-1][1], is_last=axis is axes[-1])
    title = "The sample recording: one simulated robot episode, its senses, and what is true when"
    figure.suptitle(title, x=0.065, y=0.985, ha="left", fontsize=12, color=_INK)
    figure.savefig(path, dpi=100, metadata={"Software": None})


def _hall(axis: Axes, performance: Performance) -> None:
    """The hall from above while the robot crosses the gravel; not part of the recording."""
    robot = performance.robot
    pose = robot.log().poses[round(_HALL_S * POSE_HZ)][None]
    picture = render_camera(robot.model, pose, OVERVIEW, (480, 640))[0]
    axis.imshow(picture, aspect="auto")
    axis.set_title("the hall", fontsize=8, color=_INK, pad=3)
    axis.set_xticks([])
    axis.set_yticks([])


def _moments(segments: list[Segment]) -> list[tuple[float, str]]:
    """When to show the camera, and what it is about: three quarters into the segments."""
    shown = [row for row in segments if row.modality == "vision" or row.label in _SHOWN]
    return sorted((0.25 * row.start_s + 0.75 * row.end_s, row.label) for row in shown)


def _pictures(
    figure: Any,  # noqa: ANN401
    grid: Any,  # noqa: ANN401
    streams: Streams,
    moments: list[tuple[float, str]],
) -> None:
    """Colour above, depth below, right of the hall."""
    for column, (time_s, label) in enumerate(moments):
        index = round(time_s * POSE_HZ / DEPTH_EVERY) * DEPTH_EVERY
        colour = figure.add_subplot(grid[0, column + 2])
        colour.imshow(streams.colour[index], aspect="auto")
        colour.set_title(f"{index / POSE_HZ:.0f} s  {label}", fontsize=8, color=_INK, pad=3)
        depth = figure.add_subplot(grid[1, column + 2])
        metres = streams.depth_mm[index // DEPTH_EVERY] / 1000.0
        depth.imshow(
            np.ma.masked_equal(metres, 0.0), aspect="auto", cmap="viridis_r", vmin=0.3, vmax=8.0
        )
        depth.set_facecolor("#101418")
        for axis in (colour, depth):
            axis.set_xticks([])
            axis.set_yticks([])


def _timeline(axis: Axes, segments: list[Segment]) -> None:
    for segment in segments:
        if segment.modality not in _ROWS:
            continue  # depth and thermal see what vision sees
        row = float(_ROWS.index(segment.modality))
        colour = _COLOURS.get(segment.label, _SEEN if segment.modality == "vision" else _HEARD)
        width = segment.end_s - segment.start_s
        axis.barh(row, width, left=segment.start_s, height=0.86, color=colour, edgecolor="white")
        middle = segment.start_s + width / 2
        ink = _INK if row else "white"
        axis.text(middle, row, segment.label, ha="center", va="center", fontsize=8, color=ink)
    axis.set_yticks([0.0, 1.0, 2.0], ["moves", "hears", "sees"])
    axis.set_ylim(-0.5, 2.5)


def _motion(axis: Axes, streams: Streams, first: int, limit: float, name: str) -> None:
    """Three columns of the IMU from `first`, with the gap left open."""
    times, rows = _with_gap(streams.imu_stamps_s, streams.imu)
    for offset, colour in enumerate(_XYZ):
        axis.plot(times, rows[:, first + offset], lw=0.5, color=colour)
    axis.set_ylim(-limit, limit)
    axis.set_ylabel(name, fontsize=9, color=_INK)


def _sound(axis: Axes, streams: Streams) -> None:
    samples = streams.audio / 32768.0
    axis.specgram(samples, NFFT=512, Fs=RATE_HZ, noverlap=128, cmap="magma", vmin=-130, vmax=-45)
    axis.set_ylim(0, 6000)
    axis.set_yticks([0, 3000, 6000], ["0", "3k", "6k"])
    axis.set_ylabel("sound Hz", fontsize=9, color=_INK)


def _with_gap(times: Any, rows: Any) -> tuple[Any, Any]:  # noqa: ANN401
    """Break the line where samples are missing."""
    breaks = np.flatnonzero(np.diff(times) > 0.05) + 1
    return np.insert(times, breaks, np.nan), np.insert(rows, breaks, np.nan, axis=0)


def _dress(axis: Axes, end_s: float, *, is_last: bool) -> None:
    axis.set_xlim(0.0, end_s)
    axis.tick_params(labelsize=8, colors=_INK, length=2)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    if is_last:
        axis.set_xlabel("seconds", fontsize=9, color=_INK)
    else:
        axis.set_xticklabels([])
