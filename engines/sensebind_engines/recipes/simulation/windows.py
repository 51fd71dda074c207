# SPDX-License-Identifier: Apache-2.0
"""Features of simulated windows by the runtime's resampler, as slower IMUs see them too."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sensebind.preprocess import resample_imu
from sensebind_engines.recipes.simulation.episodes import WINDOW_S
from sensebind_engines.recipes.simulation.sensors import IMU_HZ

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.specs import ImuSpec
    from sensebind_engines.recipes.simulation.dataset import EpisodeSet

INPUT_RATES_HZ = (400, 200, 100)
"""Rates of the IMU the features are made from; slower ones average 2 or 4 samples."""


class WindowSet(NamedTuple):
    """Features of windows and what is known of them.

    Attributes:
        features: (windows, rates, 6, T) float32, one per input rate of `INPUT_RATES_HZ`.
        labels: (windows,) str.
        splits: (windows,) str.
        episodes: (windows,) index of the episode: windows of one are not independent.
    """

    features: NDArray[np.float32]
    labels: NDArray[np.str_]
    splits: NDArray[np.str_]
    episodes: NDArray[np.int64]

    def select(self, chosen: NDArray[np.bool_]) -> WindowSet:
        """The windows where `chosen` is true."""
        return WindowSet(
            self.features[chosen],
            self.labels[chosen],
            self.splits[chosen],
            self.episodes[chosen],
        )


def make_windows(episodes: EpisodeSet, spec: ImuSpec) -> WindowSet:
    """Resample every window that has a label, at every input rate."""
    rows = np.flatnonzero(episodes.window_label != "")
    points = round(WINDOW_S * spec.rate_hz)
    features = np.empty((len(rows), len(INPUT_RATES_HZ), 6, points), np.float32)
    for place, row in enumerate(rows):
        episode = episodes.window_episode[row]
        span = slice(episodes.starts[episode], episodes.starts[episode + 1])
        for index, rate_hz in enumerate(INPUT_RATES_HZ):
            features[place, index] = _window_features(
                episodes.stamps_s[span],
                episodes.samples[span],
                float(episodes.window_end_s[row]),
                IMU_HZ // rate_hz,
                spec,
            )
    owners = episodes.window_episode[rows]
    return WindowSet(features, episodes.window_label[rows], episodes.splits[owners], owners)


def _window_features(
    stamps_s: NDArray[np.float64],
    samples: NDArray[np.float32],
    end_s: float,
    averaged: int,
    spec: ImuSpec,
) -> NDArray[np.float32]:
    """Features of one window from samples averaged in groups (a slower sensor's own filter)."""
    first, last = np.searchsorted(stamps_s, (end_s - WINDOW_S - 0.1, end_s + 0.1))
    count = (last - first) // averaged * averaged
    stamps_s = stamps_s[first : first + count].reshape(-1, averaged).mean(axis=1)
    values = samples[first : first + count].astype(np.float64)
    values = values.reshape(-1, averaged, 6).mean(axis=1)
    return resample_imu(
        np.round(stamps_s * 1e9).astype(np.int64),
        values,
        end_ns=round(end_s * 1e9),
        length_s=WINDOW_S,
        rate_hz=spec.rate_hz,
        interpolation=spec.interpolation,
        max_interval_s=spec.max_interval_s,
    )
