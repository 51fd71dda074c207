# SPDX-License-Identifier: Apache-2.0
"""Clock models: how near they come to the truth, and what they take for a jump."""

from __future__ import annotations

import heapq
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensebind.clock import ClockCalibration, ClockModel
from sensebind.clock.envelope import BINS, Envelope
from tests.support.devices import BEGIN_NS, MS, Device, Message, S


def learn(model: ClockModel, messages: list[Message], stream: str = "") -> list[float]:
    """Error of each message's mapped stamp, in ms, as known when it arrived."""
    errors = []
    for message in messages:
        model.observe(message.device_ns, message.receive_ns, stream=stream)
        assert model.fit is not None
        mapped_ns = model.fit.reference_ns(message.device_ns)
        errors.append((mapped_ns - message.true_ns) / MS)
    return errors


@settings(max_examples=25, deadline=None)
@given(
    drift=st.sampled_from([-200e-6, -1e-4, -1e-6, 0.0, 2e-5, 1e-4]),
    epoch_ns=st.sampled_from([0, 5 * S, BEGIN_NS, 10 * BEGIN_NS // 9]),
    jitter_ns=st.sampled_from([0.2e6, 1e6, 4e6]),
    loss=st.sampled_from([0.0, 0.3]),
    seed=st.integers(0, 999),
)
def test_maps_within_the_least_delays(
    drift: float, epoch_ns: int, jitter_ns: float, loss: float, seed: int
) -> None:
    model = ClockModel()
    device = Device(drift=drift, epoch_ns=epoch_ns, jitter_ns=jitter_ns, loss=loss)
    errors = learn(model, list(device.messages(60, seed)))
    early, late = errors[100:], errors[-500:]
    assert max(map(abs, early)) <= 1.0 + 1.5 * jitter_ns / MS
    assert max(map(abs, late)) <= 0.1 + 0.5 * jitter_ns / MS
    quality = model.quality
    assert quality.jumps == model.epoch == 0
    assert abs(quality.drift_ppm - drift * 1e6) <= 2 * quality.drift_uncertainty_ppm
    assert 58 < quality.span_s < 60.1


def test_the_drift_becomes_known() -> None:
    model = ClockModel()
    messages = list(Device(drift=1e-4).messages(600))
    uncertainty = []
    for a in range(0, len(messages), 5000):
        learn(model, messages[a : a + 5000])
        quality = model.quality
        uncertainty.append(quality.drift_uncertainty_ppm)
        assert abs(quality.drift_ppm - 100) < 0.1
    assert uncertainty == sorted(uncertainty, reverse=True)
    assert uncertainty[-1] < 0.2


def test_memory_does_not_grow() -> None:
    envelope = Envelope(0.0, 0)
    for x in range(0, 4 * 3600 * S, S // 2):
        envelope.add(float(x), 0.0, 0.0)
        assert len(envelope._x) <= BINS
    assert 3000 * S < envelope.span_ns < 3600 * S
    assert envelope.count == 8 * 3600
    tracemalloc.start()
    model = ClockModel()
    learn(model, list(Device().messages(20)))
    before, _ = tracemalloc.get_traced_memory()
    learn(model, list(Device().messages(120, begin_s=20)))
    assert tracemalloc.get_traced_memory()[0] < before + 50_000
    tracemalloc.stop()


def test_the_line_is_the_hulls() -> None:
    rng = np.random.default_rng(3)
    envelope = Envelope(0.0, 0)
    x = np.arange(100) * 100_000_000.0
    y = 1e-4 * x + rng.exponential(1e6, 100)
    for point in zip(x, y, strict=True):
        envelope.add(*point, 0.0)
    slope = envelope.slope()
    assert slope is not None
    # The best line below: of all through two points and below the rest, the nearest on average.
    candidates = [
        (np.mean(y - (y[a] + s * (x - x[a]))), s)
        for a in range(100)
        for b in range(a)
        if ((s := (y[a] - y[b]) / (x[a] - x[b])), (y - (y[a] + s * (x - x[a]))).min() > -1e-3)[1]
    ]
    assert slope.value == pytest.approx(min(candidates)[1], rel=1e-9)


@pytest.mark.parametrize("jump_ns", [-4295 * S, -3 * S, -S // 2, S // 2, 10**9 * S])
def test_jumps_are_noticed_and_followed(jump_ns: int) -> None:
    model = ClockModel()
    device = Device(drift=5e-5, jump_at_s=60, jump_ns=jump_ns, epoch_ns=10**4 * S)
    before = [m for m in device.messages(90) if m.true_ns < BEGIN_NS + 60 * S]
    after = [m for m in device.messages(90) if m.true_ns >= BEGIN_NS + 60 * S]
    learn(model, before)
    drift_ppm = model.quality.drift_ppm
    possible = [model.observe(m.device_ns, m.receive_ns) for m in after]
    assert not any(possible[:2]) or jump_ns == -S // 2  # which may be a delay
    assert all(possible[2:])
    assert (model.jumps, model.epoch) == (1, 1)
    assert model.quality.drift_ppm == pytest.approx(drift_ppm, abs=1)
    errors = learn(model, list(replace(device, jump_at_s=0).messages(100, begin_s=90)))
    assert max(map(abs, errors)) < 0.5


def test_a_step_back_that_the_stamps_do_not_show_is_believed_after_ten_seconds() -> None:
    model = ClockModel()
    device = Device(period_ns=300 * MS, jump_at_s=20, jump_ns=-S // 5)
    learn(model, list(device.messages(29.9)))
    assert model.jumps == 0
    learn(model, list(device.messages(31, begin_s=29.9)))
    assert model.jumps == 1


def test_a_stall_is_no_jump() -> None:
    model = ClockModel()
    messages = list(Device().messages(60))
    stalled = [
        replace(m, receive_ns=max(m.receive_ns, BEGIN_NS + 45 * S))
        if m.true_ns > BEGIN_NS + 40 * S
        else m
        for m in messages
    ]
    errors = learn(model, stalled)
    assert model.jumps == 0
    assert max(map(abs, errors[1000:])) < 0.5


def test_wrong_stamps_teach_nothing() -> None:
    model = ClockModel()
    for i, message in enumerate(Device().messages(60)):
        if i % 97 == 50:
            assert not model.observe(message.device_ns + 10**7 * S, message.receive_ns)
        if i % 89 == 50:
            assert not model.observe(1, message.receive_ns)
        assert model.observe(message.device_ns, message.receive_ns)
    assert model.jumps == 0
    assert abs(model.quality.drift_ppm) < 1


def test_messages_that_were_held_up_at_the_start_are_forgotten() -> None:
    model = ClockModel()
    messages = list(Device().messages(30))
    late = [
        replace(m, receive_ns=max(m.receive_ns, BEGIN_NS + 2 * S)) if i < 80 else m
        for i, m in enumerate(messages)
    ]
    errors = learn(model, late)
    assert model.jumps == 0
    assert max(map(abs, errors[110:])) < 3.0


def test_streams_of_one_clock_share_its_offset_and_keep_their_delays() -> None:
    imu = Device(period_ns=5 * MS, latency_ns=0, jitter_ns=0.3e6, drift=3e-5)
    camera = Device(period_ns=33 * MS, latency_ns=40 * MS, jitter_ns=5e6, drift=3e-5)
    network = Device(period_ns=100 * MS, latency_ns=300 * MS, jitter_ns=9e6, drift=3e-5)
    arrivals = heapq.merge(
        *(
            [(m.receive_ns, name, m) for m in device.messages(seconds, seed)]
            for name, device, seconds, seed in [
                ("camera", camera, 200, 1),
                ("imu", imu, 60, 2),
                ("network", network, 200, 3),
            ]
        )
    )
    model = ClockModel()
    errors = []
    for _, name, message in arrivals:
        model.observe(message.device_ns, message.receive_ns, stream=name)
        assert model.fit is not None
        mapped_ns = model.fit.reference_ns(message.device_ns)
        errors.append((message.true_ns - BEGIN_NS, abs(mapped_ns - message.true_ns) / MS))
    assert model.jumps == 0
    assert max(error for at_ns, error in errors if at_ns > 2 * S) < 0.6  # without the IMU too
    assert model.quality.drift_ppm == pytest.approx(30, abs=0.5)


@pytest.mark.parametrize("before_ns", [40 * MS, 3 * S])
def test_a_streams_first_stamp_may_lie_before_the_clocks(before_ns: int) -> None:
    model = ClockModel()
    model.observe(100 * S, BEGIN_NS, "imu")
    for i in range(20):
        at_ns = i * 33 * MS - before_ns
        assert model.observe(100 * S + at_ns, BEGIN_NS + at_ns + 50 * MS, "camera")
        assert model.fit is not None
    assert model.jumps == 0
    assert model.quality.observations == 21


def test_a_calibration_fixes_what_it_tells() -> None:
    messages = list(Device(drift=1e-4, latency_ns=7 * MS, epoch_ns=S).messages(20))
    model = ClockModel(ClockCalibration(drift_ppm=100.0, latency_ns=7 * MS))
    assert max(map(abs, learn(model, messages)[200:])) < 0.2
    assert model.quality.drift_uncertainty_ppm == 0

    fixed = ClockModel(ClockCalibration(offset_ns=BEGIN_NS - S, at_ns=S, drift_ppm=100.0))
    assert fixed.quality.fixed
    assert max(map(abs, learn(fixed, messages))) < 1e-5
    without = ClockModel()
    assert min(learn(without, messages)[200:]) > 6.5  # the least delay cannot be observed


def test_nothing_is_known_before_the_first_message() -> None:
    model = ClockModel()
    assert model.fit is None
    assert model.quality.observations == 0
