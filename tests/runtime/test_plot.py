# SPDX-License-Identifier: Apache-2.0
"""The picture of a run: complete, repeatable, and made of whatever there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from sensebind import plot
from sensebind.plot import (
    Labels,
    Pair,
    Picture,
    Signal,
    Span,
    Spectrogram,
    StreamRow,
    draw,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

TIMES_S = np.linspace(0, 10, 200)


def pictures(count: int = 4, height: int = 30, width: int = 40) -> tuple[Picture, ...]:
    pixels = np.full((height, width, 3), (255, 0, 255), np.uint8)
    return tuple(Picture((k + 0.5) * 10 / count, pixels) for k in range(count))


def signal(values: NDArray[np.float64] | None = None) -> Signal:
    if values is None:
        values = np.stack([np.sin(TIMES_S), np.cos(TIMES_S), TIMES_S], axis=1)
    return Signal("rad/s", ("x", "y", "z"), TIMES_S, values)


def labels(truth: bool = True) -> Labels:
    scores = np.tile(np.array([0.7, 0.2, 0.1], np.float32), (9, 1))
    return Labels(
        truth=(Span(0, 5, "spin"), Span(5, 10, "still")) if truth else (),
        given=(Span(0.5, 5, "spin"), Span(5, 7, "bump", sure=False), Span(7, 9.5, "still")),
        classes=("spin", "still", "bump"),
        times_s=np.arange(1.0, 10.0),
        scores=scores,
    )


def drawn(path: Path, *streams: StreamRow) -> NDArray[np.uint8]:
    draw(path, "Title", "subtitle", streams, 10.0)
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), dtype=np.uint8)


def has(pixels: NDArray[np.uint8], colour: tuple[int, int, int]) -> bool:
    return bool((pixels == np.array(colour, np.uint8)).all(axis=-1).any())


def test_it_is_as_wide_as_the_readme_and_light(tmp_path: Path) -> None:
    pixels = drawn(tmp_path / "a.png", StreamRow("imu", "note", pictures(), (signal(),), labels()))
    assert pixels.shape[1] == 1600
    assert np.median(pixels) == 255


def test_pictures_bands_and_curves_are_there(tmp_path: Path) -> None:
    row = StreamRow("imu", "note", pictures(), (signal(),), labels())
    pixels = drawn(tmp_path / "a.png", row)
    assert has(pixels, (255, 0, 255))
    first, second = plot._CLASS_COLOURS[:2]
    for colour in (first, second, *plot._AXIS_COLOURS):
        red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
        assert has(pixels, (red, green, blue))


def test_equal_runs_are_equal_files(tmp_path: Path) -> None:
    row = StreamRow("imu", "note", pictures(), (signal(),), labels())
    drawn(tmp_path / "a.png", row)
    drawn(tmp_path / "b.png", row)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize(
    "row",
    [
        StreamRow("vision", "", pictures()),
        StreamRow("imu", "", signals=(signal(),)),
        StreamRow("imu", "", labels=labels()),
        StreamRow("imu", "", labels=labels(truth=False)),
        StreamRow("imu", "", signals=(signal(np.zeros((200, 3))),)),
        StreamRow("vision", "", pictures(count=1, height=90, width=30)),
    ],
    ids=["pictures", "signals", "labels", "no truth", "flat signal", "one tall picture"],
)
def test_what_is_missing_is_left_out(tmp_path: Path, row: StreamRow) -> None:
    alone = drawn(tmp_path / "a.png", row)
    both = drawn(tmp_path / "b.png", row, StreamRow("imu", "", signals=(signal(),)))
    assert alone.min() < 100
    assert both.shape[0] > alone.shape[0]


def test_pictures_do_not_touch(tmp_path: Path) -> None:
    pixels = drawn(tmp_path / "a.png", StreamRow("vision", "", pictures(count=5)))
    magenta = (pixels == np.array([255, 0, 255], np.uint8)).all(axis=-1)
    middle = magenta[np.flatnonzero(magenta.any(axis=1))[10]]
    assert np.count_nonzero(np.diff(middle.astype(int)) == 1) == 5


def test_an_earlier_picture_survives_a_failure(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("before")
    broken = Signal("rad/s", ("x",), TIMES_S, np.zeros((3, 1)))
    with pytest.raises(ValueError, match="same first dimension"):
        draw(tmp_path / "a.png", "Title", "", [StreamRow("imu", "", signals=(broken,))], 10.0)
    assert (tmp_path / "a.png").read_text() == "before"
    assert list(tmp_path.iterdir()) == [tmp_path / "a.png"]


def test_curves_break_where_windows_are_missing() -> None:
    times_s = np.array([1.0, 2.0, 3.0, 6.0, 7.0])
    scores = np.arange(5, dtype=np.float32)[:, np.newaxis]
    broken_s, broken = plot._broken_at_gaps(times_s, scores)
    assert np.isnan(broken_s).tolist() == [False, False, False, True, False, False]
    assert np.isnan(broken[3, 0])
    assert broken[4, 0] == 3


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_windows_have_no_gap(count: int) -> None:
    times_s, _ = plot._broken_at_gaps(np.arange(float(count)), np.zeros((count, 2), np.float32))
    assert len(times_s) == count


def test_values_sound_and_pairs_are_drawn(tmp_path: Path) -> None:
    values = np.linspace(0, 1, 1200, dtype=np.float32).reshape(30, 40)
    heat = Picture(2.5, np.where(values > 0.9, np.nan, values).astype(np.float32), "inferno")
    sound = Spectrogram(8.0, 9.5, np.random.default_rng(0).normal(size=(64, 90)).astype(np.float32))
    pairs = (Pair(heat, pictures(1)[0], "cat", True), Pair(heat, pictures(1)[0], "dog", False))
    pixels = drawn(
        tmp_path / "a.png",
        StreamRow("thermal", "note", pictures=(heat,)),
        StreamRow("audio", "note", spectrogram=sound),
        StreamRow("thermal finds vision", "1 of 2", pairs=pairs),
    )
    assert has(pixels, (255, 0, 255))  # what was found
    caption = pixels[-90:].astype(int)  # thin letters: hardly a pixel has the whole colour
    red, green, blue = caption[..., 0], caption[..., 1], caption[..., 2]
    assert ((green > red + 40) & (green > blue + 40)).any()  # a right caption
    assert ((red > green + 60) & (red > blue + 60)).any()  # a wrong one
    alone = drawn(tmp_path / "b.png", StreamRow("thermal", "note", pictures=(heat,)))
    assert len(pixels) > len(alone)
