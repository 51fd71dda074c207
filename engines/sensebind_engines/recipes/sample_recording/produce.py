# SPDX-License-Identifier: Apache-2.0
"""From the simulated run to the recorded streams, their truth and their picture."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sensebind_engines.recipes.sample_recording import sheet
from sensebind_engines.recipes.sample_recording.audio import synthesise
from sensebind_engines.recipes.sample_recording.bag import (
    ORIGIN_NS,
    Streams,
    records,
    typestore,
    write_mcap,
)
from sensebind_engines.recipes.sample_recording.episode import Performance, perform
from sensebind_engines.recipes.sample_recording.render import render_frames
from sensebind_engines.recipes.sample_recording.thermal import HallTemperatures
from sensebind_engines.recipes.sample_recording.truth import (
    Origin,
    Segment,
    segments,
    write_truth,
)
from sensebind_engines.recipes.simulation.domains import SHIFT
from sensebind_engines.recipes.simulation.sensors import (
    ImuModel,
    measure_imu,
    sample_imu_model,
)

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sensebind_engines.recipes.sample_recording.sounds import Heard

GAP_S = (57.6, 58.0)
"""The IMU loses these 0.4 s, in the middle of being carried."""

# Each part draws from a generator of its own: a change in one leaves the others' bytes alone.
_DOMAIN = 0x73616D70  # "samp": no generator here equals one of the training episodes'
_PARTS = ("scene", "imu_model", "imu_noise", "depth", "audio", "delays", "temperatures", "thermal")


class Files(NamedTuple):
    """What a build leaves in its folder."""

    recording: Path
    truth: Path
    sheet: Path


class Production(NamedTuple):
    """The run, what its sensors reported, and what must be seen and heard in it."""

    performance: Performance
    imu_model: ImuModel
    temperatures: HallTemperatures
    streams: Streams
    segments: list[Segment]


def produce(
    files: Files, libraries: Mapping[str, zipfile.ZipFile], heard: Sequence[Heard], seed: int
) -> None:
    """Simulate and write the three files."""
    made = stage(libraries, heard, seed)
    store = typestore()
    messages = records(made.streams, ORIGIN_NS, _generators(seed)["delays"], store)
    write_mcap(files.recording, messages, store)
    origin = Origin(
        seed=seed,
        recording=files.recording.name,
        sha256=hashlib.sha256(files.recording.read_bytes()).hexdigest(),
        origin_ns=ORIGIN_NS,
        gap_s=GAP_S,
        heard=tuple(heard),
    )
    sensors = {
        "imu": made.imu_model.truth(),
        "thermal": {
            "air_c": round(made.temperatures.air_c, 2),
            "warmest_part_c": made.temperatures.of_places(made.performance.robot.model),
        },
    }
    log = made.performance.robot.log()
    write_truth(files.truth, origin, made.segments, sensors, log)
    sheet.draw(files.sheet, made.performance, made.streams, made.segments)


def stage(
    libraries: Mapping[str, zipfile.ZipFile], heard: Sequence[Heard], seed: int
) -> Production:
    """Run the script and measure it with every sensor."""
    draw = _generators(seed)
    performance = perform(libraries, draw["scene"])
    log, model = performance.robot.log(), performance.robot.model
    imu_model = sample_imu_model(draw["imu_model"], SHIFT.imu)
    imu = measure_imu(log, imu_model, draw["imu_noise"], dropout_s=GAP_S)
    temperatures = HallTemperatures(model, draw["temperatures"])
    frames = render_frames(model, log.poses, temperatures.frame, draw["depth"], draw["thermal"])
    audible = [(sound.start_s, sound.samples) for sound in heard]
    streams = Streams(
        imu_stamps_s=np.maximum(imu.stamps_s, 0.0),
        imu=imu.samples,
        frame_stamps_s=log.pose_times_s,
        colour=frames.colour,
        depth_mm=frames.depth_mm,
        thermal_ck=frames.thermal_ck,
        audio=synthesise(log, audible, draw["audio"]),
        labels=tuple((start_s, act.behaviour.label) for start_s, _, act in performance.spans),
        accel_variance=imu_model.accelerometer.noise_density**2 * imu_model.rate_hz / 2.0,
        gyro_variance=imu_model.gyroscope.noise_density**2 * imu_model.rate_hz / 2.0,
    )
    found = segments(log, performance.spans, heard)
    return Production(performance, imu_model, temperatures, streams, found)


def _generators(seed: int) -> dict[str, np.random.Generator]:
    return {
        part: np.random.default_rng([_DOMAIN, seed, index]) for index, part in enumerate(_PARTS)
    }
