# SPDX-License-Identifier: Apache-2.0
"""The picture of the page on time: a device's clock as it becomes known, and windows on the grid.

Both are computed by the code they explain. `python -m sensebind.plot_time FILE.png` draws it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from sensebind.clock import ClockModels
from sensebind.grid import NS_PER_S
from sensebind.storage import atomic_path
from sensebind.types import Frame, FrameBlock, SampleBlock, UniformBlock
from sensebind.windowing import make_windower
from sensebind.windowing.frames import FrameWindower
from sensebind.windowing.rules import FrameRules, SampleRules, UniformRules
from sensebind.windowing.samples import SampleWindower

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sensebind.types import Block, Window
    from sensebind.windowing import Windower

_MS = 1_000_000
_SECONDS = 120
_DRIFT = 60e-6
_INK, _FAINT, _RULE = "#222222", "#777777", "#dddddd"
_BLUE, _RED, _SAND = "#004488", "#bb5566", "#ddaa33"  # Paul Tol's high-contrast scheme
_HOP_NS, _LENGTH_NS = 500 * _MS, 2000 * _MS


def draw_time(path: Path) -> None:
    """Draw the picture into a PNG file; an earlier one is replaced only by a complete one.

    Raises:
        OSError: if the file cannot be written.
    """
    # 8.2 inches are 819.99… pixels, which Matplotlib 3.10 cuts and later ones round.
    figure = Figure(figsize=(11, 8.200001), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    clock, windows = figure.subplots(2, 1, height_ratios=(1, 1.15))
    figure.subplots_adjust(left=0.09, right=0.975, top=0.95, bottom=0.07, hspace=0.34)
    _draw_clock(clock)
    _draw_windows(windows)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})


def _bare(axes: Axes, title: str, x_label: str) -> None:
    axes.set_title(title, loc="left", fontsize=12, color=_INK)
    axes.set_xlabel(x_label, fontsize=10, color=_FAINT)
    axes.tick_params(length=0, labelsize=9, labelcolor=_FAINT)
    for side in axes.spines.values():
        side.set_visible(False)


@dataclass(frozen=True, slots=True)
class _Named:
    name: str = "imu"
    clock: str = "usb"
    rate_hz: float = 50.0


def _draw_clock(axes: Axes) -> None:
    """Arrival less stamp of a device whose clock runs slow, and the line it is mapped by."""
    rng = np.random.default_rng(4)
    mapper = ClockModels().mapper(_Named())
    true_ns = np.arange(0, _SECONDS * NS_PER_S, 20 * _MS, dtype=np.int64)
    device_ns = true_ns - np.rint(_DRIFT * true_ns).astype(np.int64) + NS_PER_S
    arrival_ns = true_ns + np.rint(rng.gamma(2.0, 1.2 * _MS, len(true_ns))).astype(np.int64)
    arrival_ns = np.maximum.accumulate(arrival_ns) + NS_PER_S
    lines = np.empty(len(true_ns), np.int64)
    for i, (stamp_ns, received_ns) in enumerate(zip(device_ns, arrival_ns, strict=True)):
        block = SampleBlock("imu", np.array([stamp_ns]), np.zeros((1, 6)))
        mapped = mapper.map_block(block, int(received_ns))
        assert isinstance(mapped, SampleBlock)
        lines[i] = mapped.stamps_ns[0] - stamp_ns
    seconds = true_ns / NS_PER_S
    axes.plot(seconds, (arrival_ns - device_ns) / _MS, ".", ms=1.5, color=_SAND)
    axes.plot(seconds, _DRIFT * true_ns / _MS, lw=1, color=_INK)
    axes.plot(seconds, lines / _MS, lw=1.8, color=_BLUE)
    _bare(axes, "A device's clock, learnt from arrivals", "seconds")
    axes.set_ylabel("arrival less stamp, ms", fontsize=10, color=_FAINT)
    axes.set_ylim(-1, 19)
    axes.set_xlim(0, _SECONDS)
    notes = [
        (_SAND, "messages: offset, drift and a delay that is never below some least one"),
        (_INK, f"the truth: it loses {_DRIFT * 1e6:g} µs a second"),
        (_BLUE, f"the line that stamps are mapped by, drawn anew {mapper.relocks} times"),
    ]
    for row, (colour, note) in enumerate(notes):
        axes.text(1.5, 17.6 - 1.5 * row, note, fontsize=10, color=colour, va="center")


def _draw_windows(axes: Axes) -> None:
    """Three streams with a gap, a break and a lost second, and the windows that come of them."""
    streams = [
        ("imu 400 Hz", SampleRules(
            length_ns=_LENGTH_NS, hop_ns=_HOP_NS, rate_hz=400.0, max_interval_ns=25 * _MS,
            gap_limit_ns=250 * _MS), _samples(), "a pause of 0.6 s", (5.2, 5.8)),
        ("audio 16 kHz", UniformRules(
            length_ns=_LENGTH_NS, hop_ns=_HOP_NS, frame_shift=Fraction(1, 100), rate_hz=16_000.0,
            gap_limit_ns=250 * _MS, tolerance_ns=5 * _MS), _sound(), "a break", (7.1, 7.3)),
        ("camera 10 Hz", FrameRules(length_ns=_LENGTH_NS, hop_ns=_HOP_NS), _frames(),
         "no frames", (3.05, 4.15)),
    ]  # fmt: skip
    _bare(axes, "Windows of 2 s end together at the instants kH, H = 0.5 s", "seconds")
    axes.set_xlim(0, 12)
    axes.set_ylim(-3.15, 0.25)
    axes.set_yticks([])
    for k in range(25):
        axes.axvline(k * _HOP_NS / NS_PER_S, color=_RULE, lw=0.8, zorder=0)
    for row, (name, rules, deliveries, missing, (begin_s, end_s)) in enumerate(streams):
        windower = make_windower(name, rules)
        windows = [w for block in deliveries for w in _push(windower, block)] + windower.flush()
        axes.text(-0.15, -row - 0.5, name.replace(" ", "\n", 1), ha="right", va="center",
                  fontsize=10, color=_INK)  # fmt: skip
        axes.fill_between([begin_s, end_s], -row - 0.9, -row - 0.02, color=_RED, alpha=0.25, lw=0)
        axes.text(end_s + 0.05, -row - 0.07, missing, fontsize=9, color=_RED, va="center")
        for window in windows:
            _draw_window(axes, window, row)


def _draw_window(axes: Axes, window: Window, row: int) -> None:
    """One window as a bar below its stream; overlapping ones lie on different heights."""
    height = -row - 0.2 - 0.14 * (window.grid_ns // _HOP_NS % 5)
    begin_s, end_s = window.start_ns / NS_PER_S, window.end_ns / NS_PER_S
    colour = _BLUE if window.coverage == 1 else _SAND
    if window.frames:
        axes.plot([end_s, window.grid_ns / NS_PER_S], [height] * 2, color=colour, lw=1)
        axes.plot([end_s], [height], "o", ms=4, color=colour)
    else:
        axes.plot([begin_s, end_s], [height] * 2, color=colour, lw=3, solid_capstyle="butt")
    axes.plot([window.grid_ns / NS_PER_S], [height], "|", ms=7, color=_INK)


def _push(windower: Windower, block: Block | None) -> list[Window]:
    if block is None:
        windower.break_off()
        return []
    if isinstance(block, SampleBlock):
        assert isinstance(windower, SampleWindower)
        return windower.push(block)
    if isinstance(block, FrameBlock):
        assert isinstance(windower, FrameWindower)
        return windower.push(block)
    assert not isinstance(windower, (SampleWindower, FrameWindower))
    return windower.push(block)


def _samples() -> list[Block | None]:
    stamps_ns = np.arange(300 * _MS, 11_500 * _MS, 2_500_000, dtype=np.int64)
    stamps_ns = stamps_ns[(stamps_ns < 5200 * _MS) | (stamps_ns > 5800 * _MS)]
    return [SampleBlock("imu", stamps_ns, np.zeros((len(stamps_ns), 6)))]


def _sound() -> list[Block | None]:
    def block(begin_ms: int, end_ms: int) -> UniformBlock:
        values = np.zeros((16 * (end_ms - begin_ms), 1), np.float32)
        return UniformBlock("mic", begin_ms * _MS, 16_000.0, values)

    return [block(104, 7100), None, block(7300, 11_500)]


def _frames() -> list[Block | None]:
    stamps_ns = [ms * _MS for ms in range(250, 11_500, 100) if not 3050 < ms < 4150]
    return [FrameBlock("camera", stamp_ns, Frame(b"", "jpeg")) for stamp_ns in stamps_ns]


if __name__ == "__main__":
    draw_time(Path(sys.argv[1]))
