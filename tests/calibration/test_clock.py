# SPDX-License-Identifier: Apache-2.0
"""Offset and drift of two clocks: simulated sensors whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sensebind.config import StreamConfig
from sensebind.errors import InputError
from sensebind.sources.bags.receipts import Receipts
from sensebind.types import FrameBlock, Modality, SampleBlock
from sensebind_calibration.clock import TwoStreams, calibrate_clock, doubts
from sensebind_calibration.clock_events import Events
from sensebind_calibration.clock_line import fit_line
from sensebind_calibration.clock_match import match_events
from sensebind_calibration.clock_receipts import compare_receipts
from tests.support.knocks import BASE_NS, TRUE_CLOCK, Clock, S, felt, heard, knock_times, seen
from tests.support.playing import BlockSource

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.types import Block
    from sensebind_calibration.clock_line import ClockLine
    from sensebind_calibration.sections import ClockSection

    Values = NDArray[np.float64]

INSTANCES = 200
SENSES = {
    "imu": Modality.IMU,
    "mic": Modality.AUDIO,
    "depth": Modality.DEPTH,
    "rear": Modality.DEPTH,
}


def two(blocks: list[Block], stream: str, reference: str) -> TwoStreams:
    configs = {name: StreamConfig(modality=SENSES[name]) for name in (stream, reference)}
    return TwoStreams(BlockSource(blocks, "knocks"), stream, reference, configs)


def error_of(section: ClockSection, clock: Clock) -> float:
    """Of the offset, in ns."""
    return section.offset_ns - clock.offset_ns(section.reference_ns)


@pytest.mark.parametrize("clock", [Clock(0.734), Clock(-3.2, 80.0), Clock(0.02, -200.0)])
def test_a_microphone_against_an_imu(clock: Clock) -> None:
    rng = np.random.default_rng(1)
    knocks = knock_times(rng, 100)
    blocks = heard(rng, knocks, clock) + felt(rng, knocks, TRUE_CLOCK, 400.0)
    section = calibrate_clock(two(blocks, "mic", "imu"))
    assert section.matched >= 90
    assert abs(error_of(section, clock)) < section.offset_interval_ns + 0.1e6
    assert section.offset_interval_ns < 0.3e6
    if clock.ppm:
        assert section.determined == ("offset", "drift")
        assert section.drift_ppm == pytest.approx(clock.ppm, abs=section.drift_interval_ppm + 1)
        assert any("the offset is known for" in sentence for sentence in doubts(section))
    else:
        assert section.determined == ("offset",)
        assert section.drift_ppm == section.drift_interval_ppm == 0
        assert list(doubts(section)) == []


def test_a_depth_camera_against_an_imu() -> None:
    rng, clock = np.random.default_rng(2), Clock(0.31)
    knocks = knock_times(rng, 60)
    blocks = seen(rng, knocks, clock) + felt(rng, knocks, TRUE_CLOCK, 200.0)
    section = calibrate_clock(two(blocks, "depth", "imu"))
    assert section.scatter_ns == pytest.approx(S / 30 / 12**0.5, rel=0.3)
    assert abs(error_of(section, clock)) < section.offset_interval_ns + 0.5e6


def covered_by_sensors(instances: int) -> float:
    """Share of simulated microphones and IMUs whose offset's interval holds the truth."""
    held = []
    for seed in range(instances):
        rng = np.random.default_rng(seed)
        clock = Clock(rng.uniform(-2, 2), rng.choice([0.0, rng.uniform(-150, 150)]))
        knocks = knock_times(rng, 30)
        blocks = heard(rng, knocks, clock) + felt(rng, knocks, TRUE_CLOCK, 400.0)
        section = calibrate_clock(two(blocks, "mic", "imu"))
        held.append(abs(error_of(section, clock)) <= section.offset_interval_ns)
    return float(np.mean(held))


def test_intervals_cover_the_truth_of_sensors() -> None:
    assert covered_by_sensors(20) >= 0.75


@pytest.mark.slow
def test_intervals_cover_the_truth_of_many_sensors() -> None:
    assert covered_by_sensors(INSTANCES) >= 0.88


def test_cameras_that_see_in_step_are_not_trusted_beyond_their_periods() -> None:
    rng = np.random.default_rng(6)
    knocks = knock_times(rng, 60)
    clock = Clock(0.3 + 0.4 / 30)  # its frames lie 0.4 periods beside the other's
    other: list[Block] = [
        FrameBlock("rear", block.stamp_ns, block.frame)
        for block in seen(rng, knocks, TRUE_CLOCK)
        if isinstance(block, FrameBlock)
    ]
    section = calibrate_clock(two(seen(rng, knocks, clock) + other, "depth", "rear"))
    assert section.scatter_ns < 2e6
    assert section.offset_interval_ns == pytest.approx(S / 30, rel=0.1)
    assert abs(error_of(section, clock)) < section.offset_interval_ns


def events(
    rng: np.random.Generator, true_s: Values, clock: Clock, error_s: float, *, even: bool
) -> Events:
    """Events found with errors; 15 % of them are missed, and as many are something else's."""
    found = true_s[rng.random(len(true_s)) > 0.15]
    wide = error_s * 3**0.5
    errors = rng.uniform(-wide, wide, len(found)) if even else rng.normal(0, error_s, len(found))
    others = rng.uniform(0, true_s[-1], len(true_s) * 3 // 20)
    return Events(clock.stamps_ns(np.sort(np.concatenate([found + errors, others]))), 0.0025)


def recovery(count: int) -> tuple[Values, Values]:
    """Errors of offset (ns) and drift (ppm) of many instances, and halves of their intervals."""
    errors, halves = np.empty((INSTANCES, 2)), np.empty((INSTANCES, 2))
    for seed in range(INSTANCES):
        rng = np.random.default_rng(seed)
        clock = Clock(rng.uniform(-2, 2), rng.uniform(-150, 150))
        true_s = knock_times(rng, count)
        own = events(rng, true_s, clock, 0.004, even=seed % 2 == 0)
        other = events(rng, true_s, TRUE_CLOCK, 0.004, even=seed % 3 == 0)
        line = match_events(own, other, within_s=5).line
        errors[seed] = line.offset_ns - clock.offset_ns(line.at_ns), line.drift_ppm - clock.ppm
        halves[seed] = line.offset_half_ns, line.drift_half_ppm
    return errors, halves


def test_intervals_cover_the_truth_and_errors_shrink_with_the_root_of_the_events() -> None:
    deviations = []
    for count in (50, 200):
        errors, halves = recovery(count)
        covered = (np.abs(errors) <= halves).mean(axis=0)
        assert (covered > 0.90).all(), covered  # 95 % less three standard errors of 200
        assert (covered < 0.99).all(), covered
        deviations.append(errors[:, 0].std())
    assert deviations[0] / deviations[1] == pytest.approx(2, rel=0.25)  # sqrt(200 / 50)


def receipts(rng: np.random.Generator, true_s: Values, clock: Clock, delay_s: float) -> Receipts:
    arrived = true_s + 0.002 + rng.exponential(delay_s, len(true_s))
    order = np.argsort(arrived, kind="stable")
    return Receipts(clock.stamps_ns(true_s[order]), TRUE_CLOCK.stamps_ns(arrived[order]))


def test_arrivals_tell_the_clocks_apart() -> None:
    covered, errors = [], {30: [], 480: []}  # type: ignore[var-annotated]
    for length_s, found in errors.items():
        for seed in range(INSTANCES // (1 if length_s == 30 else 4)):
            rng = np.random.default_rng(seed)
            clock = Clock(rng.uniform(-100, 100), rng.uniform(-150, 150))
            own = receipts(rng, np.arange(0, length_s, 0.02), clock, 0.003)
            other = receipts(rng, np.arange(0, length_s, 1 / 30), TRUE_CLOCK, 0.008)
            line = compare_receipts(own, other)
            found.append(line.offset_ns - clock.offset_ns(line.at_ns))
            if length_s == 30:
                drift = abs(line.drift_ppm - clock.ppm) <= line.drift_half_ppm
                covered.append([abs(found[-1]) <= line.offset_half_ns, drift])
    assert (np.mean(covered, axis=0) > 0.85).all()
    assert np.std(errors[480]) < np.std(errors[30]) / 4


def line_of(stamps: Values, differences: Values, **options: bool) -> ClockLine:
    return fit_line(
        BASE_NS + np.rint(stamps * S).astype(np.int64),
        np.rint(differences * S).astype(np.int64),
        **options,
    )


def test_a_line_leaves_out_what_is_far_off() -> None:
    rng = np.random.default_rng(3)
    x = np.sort(rng.uniform(0, 600, 300))
    y = 0.5 - 50e-6 * (x - 300) + rng.normal(0, 0.002, 300)
    y[::10] += rng.uniform(0.05, 1, 30)
    line = line_of(x, y)
    assert line.count == pytest.approx(270, abs=3)
    assert line.scatter_ns == pytest.approx(2e6, rel=0.1)
    assert line.drift_ppm == pytest.approx(50, abs=2 * line.drift_half_ppm)
    level = line_of(x, y, drift=False)
    assert level.slope == level.slope_half == 0
    assert level.scatter_ns > 3 * line.scatter_ns


def knocked(times: Values) -> Events:
    return Events(TRUE_CLOCK.stamps_ns(times), 0.0025)


TIMES = knock_times(np.random.default_rng(4), 60)
ELSEWHERE = knock_times(np.random.default_rng(40), 60)
STEADY = np.arange(60) * 1.5


@pytest.mark.parametrize(
    ("own", "other", "told"),
    [
        (TIMES[:5], TIMES, r"5 events in the stream and 60 .* at least 8 in each"),
        (TIMES, ELSEWHERE, r"no events in common|have little in common"),
        (STEADY, STEADY + 0.4, r"at an offset of 0\.[34].*and also at.* even pauses"),
        (TIMES, TIMES + 9, r"no events in common|have little in common"),
    ],
    ids=["few", "others", "periodic", "far"],
)
def test_what_does_not_tell_is_refused(own: Values, other: Values, told: str) -> None:
    with pytest.raises(InputError, match=rf"({told}).*twenty times"):
        match_events(knocked(own), knocked(other), within_s=5)


def test_a_wider_search_finds_a_far_offset() -> None:
    match = match_events(knocked(TIMES), knocked(TIMES + 9), within_s=20)
    assert match.line.offset_ns == pytest.approx(9 * S, abs=1)


def test_short_and_quiet_recordings_are_refused() -> None:
    rng = np.random.default_rng(5)
    short = np.array([2.0, 3.5, 6.0])
    blocks = heard(rng, short, TRUE_CLOCK) + felt(rng, short, TRUE_CLOCK, 100.0)
    with pytest.raises(InputError, match=r"8\.0 s long, expected 10 s to 3600 s"):
        calibrate_clock(two(blocks, "mic", "imu"))
    once = np.array([20.0])
    blocks = heard(rng, once, TRUE_CLOCK) + felt(rng, once, TRUE_CLOCK, 100.0)
    with pytest.raises(InputError, match=r"1 events in the stream.*knock the robot, or clap"):
        calibrate_clock(two(blocks, "mic", "imu"))
    with pytest.raises(InputError, match=r"keeps no receive times.*--by content"):
        calibrate_clock(two(blocks, "mic", "imu"), by="stamps")


def test_an_imu_without_a_finite_reading_is_refused() -> None:
    rng = np.random.default_rng(6)
    broken = [
        replace(block, values=np.full_like(block.values, np.nan))
        for block in felt(rng, np.array([20.0]), TRUE_CLOCK, 100.0)
        if isinstance(block, SampleBlock)
    ]
    blocks = heard(rng, np.array([20.0]), TRUE_CLOCK) + broken
    with pytest.raises(InputError, match=r"a stream has 0 usable stamps, expected at least 10 s"):
        calibrate_clock(two(blocks, "mic", "imu"))


def test_stamps_that_are_arrivals_tell_nothing() -> None:
    times = TRUE_CLOCK.stamps_ns(np.arange(0, 60, 0.1))
    with pytest.raises(InputError, match=r"stamps are its receive times.*--by content"):
        compare_receipts(Receipts(times, times), Receipts(times, times))
