# SPDX-License-Identifier: Apache-2.0
"""Points that IMU windows share are the points of each window, to the last bit."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensebind.config import OPTICAL_TO_BODY
from sensebind.errors import InputError
from sensebind.preprocess.imu import ImuPreprocessor
from sensebind.preprocess.imu_calibration import ImuCalibration
from sensebind.preprocess.imu_points import PointPlan, points_between
from sensebind.specs import ImuSpec
from sensebind.types import SampleBlock
from sensebind.windowing.rules import SampleRules
from sensebind.windowing.samples import SampleWindower

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.types import Window

MS = 1_000_000
EPOCH_NS = 1_700_000_000_000_000_000
CALIBRATION = ImuCalibration(
    accel_bias=(0.1, -0.2, 0.3), gyro_bias=(-0.01, 0.02, 0.005), rotation=OPTICAL_TO_BODY
)
SPECS = st.builds(
    ImuSpec,
    rate_hz=st.sampled_from([100.0, 62.5, 59.94, 1024.0, 40.0]),
    interpolation=st.sampled_from(["linear", "cubic"]),
    antialias=st.sampled_from(["triangle", "none"]),
    max_interval_s=st.sampled_from([0.012, 0.05]),
)
EVENTS = st.sampled_from(["hole", "gap", "reset", "again", "late", "break", "nan", "dense", "inf"])


def rules_of(spec: ImuSpec, length_ns: int, hop_ns: int, lateness_ns: int = 0) -> SampleRules:
    return SampleRules(
        length_ns=length_ns,
        hop_ns=hop_ns,
        min_coverage=0.3,
        lateness_ns=lateness_ns,
        rate_hz=spec.rate_hz,
        max_interval_ns=50 * MS,
        gap_limit_ns=120 * MS,
        support=2 if spec.interpolation == "cubic" else 1,
    )


def bad_stream(
    seed: int, events: dict[int, str], count: int = 300
) -> tuple[NDArray[np.int64], NDArray[np.float64], list[int]]:
    """Samples at 100 Hz with jitter and what befalls some of them, and where breaks are."""
    rng = np.random.default_rng(seed)
    steps = (10 * MS * rng.uniform(0.8, 1.2, count)).astype(np.int64)
    values = rng.choice([0.0, -0.0, 1e-310, 1.0, -3.7], (count, 6)) * rng.normal(1, 1, (count, 6))
    breaks = []
    for place, event in events.items():
        if event == "dense":
            steps[place : place + 40] //= 3
        elif event in ("nan", "inf"):
            values[place, place % 6] = float(event)
        elif event == "break":
            breaks.append(place)
        else:
            by_ms = {"hole": 70, "gap": 400, "reset": -2500, "again": 0, "late": -12}
            steps[place] = by_ms[event] * MS
    return EPOCH_NS + np.cumsum(steps), values, breaks


def windows_of(
    rules: SampleRules,
    stream: tuple[NDArray[np.int64], NDArray[np.float64], list[int]],
    cuts: list[int],
) -> list[Window]:
    stamps, values, breaks = stream
    windower = SampleWindower("imu", rules)
    windows = []
    for first, last in pairwise(sorted({0, *cuts, *breaks, len(stamps)})):
        if first in breaks:
            windower.break_off()
        windows += windower.push(SampleBlock("imu", stamps[first:last], values[first:last]))
    return windows + windower.flush()


def with_less_support(window: Window, before: int, behind: int) -> Window:
    """The window without some of its first and last samples, as another windower might cut it."""
    rows = slice(before, max(len(window.stamps_ns) - behind, before + 1))
    return replace(
        window,
        stamps_ns=window.stamps_ns[rows],
        values=window.values[rows],
        start_index=window.start_index + before,
    )


def features(preprocessor: ImuPreprocessor, window: Window) -> bytes:
    return preprocessor.prepare(window).features["features"].tobytes()


@settings(max_examples=300, deadline=None)
@given(
    spec=SPECS,
    length_ns=st.sampled_from([250 * MS, 1000 * MS, 123 * MS]),
    hop_ns=st.sampled_from([50 * MS, 16 * MS, 100 * MS, 7 * MS, 333 * MS, 1953125]),
    lateness_ns=st.sampled_from([0, 0, 15 * MS]),
    seed=st.integers(0, 2**32 - 1),
    events=st.dictionaries(st.integers(1, 299), EVENTS, max_size=6),
    cuts=st.lists(st.integers(0, 300), max_size=20),
    order=st.sampled_from(["all", "all", "some", "any", "blocks"]),
    less=st.sampled_from([0, 0, 4]),
)
def test_shared_points_are_the_points_of_each_window(
    spec: ImuSpec,
    length_ns: int,
    hop_ns: int,
    lateness_ns: int,
    seed: int,
    events: dict[int, str],
    cuts: list[int],
    order: str,
    less: int,
) -> None:
    rules = rules_of(spec, length_ns, hop_ns, lateness_ns)
    windows = windows_of(rules, bad_stream(seed, events), cuts)
    rng = np.random.default_rng(seed)
    if order == "some":  # the others were dropped
        windows = [w for w in windows if rng.random() < 0.6]
    elif order == "any":
        windows = [windows[i] for i in rng.integers(len(windows), size=60)] if windows else []
    elif order == "blocks":
        windows = [w for at in range(0, len(windows), 3) for w in windows[at : at + 3][::-1]]
    length_s = length_ns / 1e9
    preprocessor = ImuPreprocessor(spec, length_s, calibration=CALIBRATION)
    for whole in windows[:150]:
        before, behind = rng.integers(less + 1, size=2).tolist()
        window = with_less_support(whole, min(before, len(whole.stamps_ns) - 1), behind)
        alone = ImuPreprocessor(spec, length_s, calibration=CALIBRATION)
        assert features(preprocessor, window) == features(alone, replace(window, segment=-1))


@settings(max_examples=40, deadline=None)
@given(
    spec=SPECS,
    seed=st.integers(0, 2**32 - 1),
    bad=st.dictionaries(st.integers(0, 299), st.sampled_from(["nan", "equal"]), max_size=3),
)
def test_samples_no_windower_would_pass_are_named_as_in_each_window(
    spec: ImuSpec, seed: int, bad: dict[int, str]
) -> None:
    """As a program of one's own may give them; good windows before and after are not harmed."""
    stamps, values, _ = bad_stream(seed, {})
    windows = windows_of(rules_of(spec, 250 * MS, 50 * MS), (stamps, values, []), [])
    for row, what in bad.items():
        if what == "nan":
            values[row, 2] = np.nan
        elif row:
            stamps[row] = stamps[row - 1]
    preprocessor = ImuPreprocessor(spec, 0.25)
    for window in windows:
        rows = slice(window.start_index, window.start_index + len(window.stamps_ns))
        spoilt = replace(window, stamps_ns=stamps[rows], values=values[rows])
        alone = ImuPreprocessor(spec, 0.25)
        assert told(preprocessor, spoilt) == told(alone, replace(spoilt, segment=-1))


def told(preprocessor: ImuPreprocessor, window: Window) -> bytes | str:
    try:
        return features(preprocessor, window)
    except InputError as error:
        return str(error)


def computed(
    monkeypatch: pytest.MonkeyPatch, spec: ImuSpec, windows: list[Window], length_s: float = 1.0
) -> list[int]:
    """How many points each window has computed for it."""
    counts: list[int] = []
    original = PointPlan.fill

    def counting(self: PointPlan, *args: Any, **options: Any) -> bool:
        counts.append(args[3].shape[1])
        return original(self, *args, **options)

    monkeypatch.setattr(PointPlan, "fill", counting)
    preprocessor = ImuPreprocessor(spec, length_s)
    for window in windows:
        preprocessor.prepare(window)
    return counts


def steady(spec: ImuSpec, hop_ns: int, step_ns: int = 9_700_000) -> list[Window]:
    stamps = EPOCH_NS + np.arange(400) * step_ns
    values = np.random.default_rng(1).normal(size=(400, 6))
    rules = replace(rules_of(spec, 1000 * MS, hop_ns), min_coverage=1.0)
    return windows_of(rules, (stamps, values, []), [])


@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
@pytest.mark.parametrize("rate_hz", [100.0, 40.0])  # interpolated, averaged
def test_a_hop_computes_its_own_points_alone(
    monkeypatch: pytest.MonkeyPatch, interpolation: Any, rate_hz: float
) -> None:
    spec = ImuSpec(rate_hz=rate_hz, interpolation=interpolation)
    windows = steady(spec, 100 * MS)
    counts = computed(monkeypatch, spec, windows)
    # The first window may have no support before it, and the last ones none behind them.
    assert counts[2:-1] == [round(rate_hz / 10)] * (len(windows) - 3)
    assert len(windows) > 20


def test_windows_that_were_skipped_cost_their_points(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = ImuSpec(rate_hz=100.0)
    windows = steady(spec, 100 * MS)
    chosen = [windows[i] for i in (2, 3, 6, 7, 18, 19)]
    assert computed(monkeypatch, spec, chosen) == [100, 10, 30, 10, 100, 10]


def test_hops_of_no_whole_number_of_points_compute_all(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = ImuSpec(rate_hz=100.0)
    counts = computed(monkeypatch, spec, steady(spec, 55 * MS)[::2])
    assert set(counts[1:-1]) == {11}  # every other window lies on the same points
    monkeypatch.undo()
    assert set(computed(monkeypatch, spec, steady(spec, 55 * MS))) == {100}


def test_samples_are_not_looked_at_twice() -> None:
    """What is not looked at may be garbage: the cost of a hop doesn't grow with the window."""
    spec = ImuSpec(rate_hz=100.0)
    first, second = steady(spec, 100 * MS)[2:4]
    preprocessor = ImuPreprocessor(spec, 1.0)
    preprocessor.prepare(first)
    expected = features(ImuPreprocessor(spec, 1.0), second)
    values = second.values.copy()
    values[:80] = np.nan
    assert features(preprocessor, replace(second, values=values)) == expected


@pytest.mark.parametrize("change", [{"segment": 10**6}, {"start_index": 10**6}])
def test_windows_that_do_not_go_on_share_nothing(change: dict[str, Any]) -> None:
    spec = ImuSpec(rate_hz=100.0)
    window = steady(spec, 100 * MS)[2]
    preprocessor = ImuPreprocessor(spec, 1.0)
    preprocessor.prepare(window)
    other = replace(window, values=2 * window.values, **change)
    assert features(preprocessor, other) == features(ImuPreprocessor(spec, 1.0), other)


def test_every_new_sample_is_checked() -> None:
    """Also those that no new point depends on."""
    spec = ImuSpec(rate_hz=10.0, antialias="none")
    first, second = steady(spec, 100 * MS)[2:4]
    first = with_less_support(first, 0, 9)
    row = first.start_index + len(first.stamps_ns) - second.start_index
    values = second.values.copy()
    values[row, 4] = np.nan
    preprocessor = ImuPreprocessor(spec, 1.0)
    preprocessor.prepare(first)
    with pytest.raises(InputError, match=rf"gy of row {row} is nan"):
        preprocessor.prepare(replace(second, values=values))


def test_the_kernel_is_given_two_samples_at_a_segments_end(monkeypatch: pytest.MonkeyPatch) -> None:
    given_rows = []
    original = PointPlan.fill

    def spying(self: PointPlan, *args: Any, **options: Any) -> bool:
        given_rows.append(len(args[0]))
        return original(self, *args, **options)

    monkeypatch.setattr(PointPlan, "fill", spying)
    spec = ImuSpec(rate_hz=100.0, interpolation="linear")
    preprocessor = ImuPreprocessor(spec, 1.0)
    for window in windows_of(rules_of(spec, 1000 * MS, 10 * MS), bad_stream(0, {}), []):
        preprocessor.prepare(window)
    assert min(given_rows) == 2


def test_features_are_arrays_of_their_own() -> None:
    spec = ImuSpec(rate_hz=100.0)
    first, second = steady(spec, 100 * MS)[2:4]
    preprocessor = ImuPreprocessor(spec, 1.0)
    made = preprocessor.prepare(first).features["features"]
    expected = features(ImuPreprocessor(spec, 1.0), second)
    made[:] = np.nan
    assert features(preprocessor, second) == expected


@pytest.mark.parametrize(
    ("apart_ns", "rate_hz", "expected"),
    [
        (0, 100.0, 0),
        (100 * MS, 100.0, 10),
        (990 * MS, 100.0, 99),
        (1000 * MS, 100.0, None),
        (-10 * MS, 100.0, None),
        (55 * MS, 100.0, None),
        (100 * MS, 59.94, None),
        (100 * MS, 3.0, None),
        (1000 * MS // 2, 1024.0, 512),
        (1953125, 1024.0, None),  # halves of a nanosecond are rounded to even
        (3906250, 1024.0, 4),
    ],
)
def test_points_between_windows(apart_ns: int, rate_hz: float, expected: int | None) -> None:
    assert points_between(apart_ns, 1000 * MS, rate_hz) == expected
