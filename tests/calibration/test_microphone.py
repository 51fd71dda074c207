# SPDX-License-Identifier: Apache-2.0
"""Microphones of known levels, offset, clock and range; sounds that tell nothing are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from sensebind.errors import InputError
from sensebind.preprocess.spectrogram import mel_centres_hz
from sensebind.specs import LogMelSpec
from sensebind.types import UniformBlock
from sensebind_calibration.chirp import chirps, latency_of
from sensebind_calibration.levels import clipped, dbfs, measure_levels
from sensebind_calibration.mel_range import measure_mel_range
from sensebind_calibration.sampling_rate import true_rate
from tests.calibration.test_commands import run
from tests.support.bags import audio, audio_info, write_mcap
from tests.support.recorded import MICROPHONE, Taken, record
from tests.support.sounds import RATE_HZ, block_times, lowpassed, quiet_and_loud
from tests.support.toml import read_toml

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from sensebind_calibration.levels import Mean

    Samples = NDArray[np.float32]

SPEC = LogMelSpec()


def holds(mean: Mean, truth: float) -> bool:
    return mean.low <= truth <= mean.high


def test_levels_are_those_of_the_noise() -> None:
    samples = quiet_and_loud(np.random.default_rng(0), floor=1e-3, signal=0.05, offset=0.004)
    levels = measure_levels(samples, RATE_HZ)
    assert holds(levels.floor, 1e-6)
    assert holds(levels.offset, 0.004)
    assert levels.signal is not None
    assert levels.signal.value == pytest.approx(0.05**2, rel=0.02)
    assert (levels.quiet.sum(), levels.loud.sum()) == (50, 50)
    assert levels.clipped == 0


def test_a_sine_of_full_scale_has_0_dbfs() -> None:
    times = np.arange(RATE_HZ) / RATE_HZ
    assert dbfs(float(np.mean(np.sin(2 * np.pi * 100 * times) ** 2))) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("hertz", [50, 440, 2900])
def test_a_sine_is_not_clipped_and_a_cut_one_is(hertz: int) -> None:
    wave = 0.9 * np.sin(2 * np.pi * hertz * np.arange(2 * RATE_HZ) / RATE_HZ + 0.3)
    sampled = (np.rint(wave * 32768) / 32768).astype(np.float32)
    assert clipped(sampled) == 0
    cut = np.clip(sampled, -0.7, 0.7)
    share = float(np.mean(np.abs(sampled) >= 0.7))
    assert clipped(cut) == pytest.approx(share, abs=0.01)


SPOILT: dict[str, tuple[Callable[[Samples], Samples], str]] = {
    "short": (lambda s: s[:8000], "0.50 s long, expected at least 2 s"),
    "muted": (lambda s: s * 0, "100% of the sound is digital silence .*muted"),
    "clipped": (lambda s: np.clip(s * 20, -1, 1), "of the samples stand at the end of the scale"),
    "16-bit numbers": (lambda s: s * 32768, r"reach \d+.*16-bit samples are divided"),
    "swapped bytes": (
        lambda s: (s * 32767).astype("<i2").byteswap().astype(np.float32) / 32768,
        "never quiet, or its bytes are read in the wrong order",
    ),
    "no numbers": (lambda s: np.where(s > 0.1, np.nan, s), "samples that are no numbers"),
    "a gate": (lambda s: np.where(np.arange(len(s)) < 0.9 * len(s), 0, s), "a noise gate"),
}


@pytest.mark.parametrize("case", SPOILT)
def test_bad_sounds_are_refused(case: str) -> None:
    spoil, told = SPOILT[case]
    samples = spoil(quiet_and_loud(np.random.default_rng(1)))
    with pytest.raises(InputError, match=told):
        measure_levels(samples.astype(np.float32), RATE_HZ)


@pytest.mark.parametrize("kind", ["queue", "error"])
@pytest.mark.parametrize("ppm", [-87.0, 0.0, 140.0])
def test_the_true_rate_is_found(ppm: float, kind: str) -> None:
    fit = true_rate(*block_times(np.random.default_rng(2), ppm, kind=kind))
    assert fit is not None
    assert fit.low_ppm <= ppm <= fit.high_ppm
    assert fit.high_ppm - fit.low_ppm < (5 if kind == "queue" else 40)


def test_delays_that_wander_make_the_rate_less_certain() -> None:
    held = []
    for seed in range(200):
        fit = true_rate(*block_times(np.random.default_rng(seed), 30.0, kind="wanders"))
        assert fit is not None
        held.append(fit.low_ppm <= 30 <= fit.high_ppm)
    assert np.mean(held) >= 0.90


def test_stamps_that_were_computed_tell_no_rate() -> None:
    counted_ns, _ = block_times(np.random.default_rng(0), 0)
    assert true_rate(counted_ns, counted_ns + 5) is None
    assert true_rate(*(each[:100] for each in block_times(np.random.default_rng(0), 50))) is None


def test_lost_samples_and_wrong_rates_are_refused() -> None:
    counted_ns, seen_ns = block_times(np.random.default_rng(3), 20)
    late_ns = seen_ns + np.where(np.arange(len(seen_ns)) > 1500, 400_000_000, 0)
    with pytest.raises(InputError, match="lost or repeated"):
        true_rate(counted_ns, late_ns)
    with pytest.raises(InputError, match=r"samples come \+8\.\d % faster than the rate"):
        true_rate(counted_ns, seen_ns[0] + (seen_ns - seen_ns[0]) * 44_100 // 48_000)


@pytest.mark.parametrize("edge_hz", [4000, 6000])
def test_bands_above_a_microphones_range_are_told(edge_hz: int) -> None:
    samples = lowpassed(quiet_and_loud(np.random.default_rng(4)), edge_hz)
    mel = measure_mel_range(samples, RATE_HZ, measure_levels(samples, RATE_HZ), SPEC)
    assert mel is not None
    ((first, last),) = mel.silent
    assert last == SPEC.mel_bins - 1
    assert edge_hz < mel_centres_hz(SPEC)[first] < 1.25 * edge_hz


def test_a_device_of_8_khz_carries_nothing_above_4() -> None:
    samples = quiet_and_loud(np.random.default_rng(5), rate_hz=8000)
    mel = measure_mel_range(samples, 8000, measure_levels(samples, 8000), SPEC)
    assert mel is not None
    ((first, last),) = mel.silent
    assert mel.centres_hz[first] == pytest.approx(4150, abs=200)
    assert last == SPEC.mel_bins - 1


def test_a_wide_range_is_whole_and_a_hum_tells_nothing() -> None:
    samples = quiet_and_loud(np.random.default_rng(6))
    wide = measure_mel_range(samples, RATE_HZ, measure_levels(samples, RATE_HZ), SPEC)
    assert wide is not None
    assert wide.silent == ()
    times = np.arange(len(samples)) / RATE_HZ
    hum = quiet_and_loud(np.random.default_rng(7), signal=0) + np.where(
        times > 5, 0.1 * np.sin(2 * np.pi * 100 * times), 0
    ).astype(np.float32)
    assert measure_mel_range(hum, RATE_HZ, measure_levels(hum, RATE_HZ), SPEC) is None


@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
def test_latency_is_the_delay_of_the_chirps(rate_hz: int) -> None:
    rng = np.random.default_rng(8)
    played = chirps(rate_hz)
    delay = round(0.1234 * rate_hz)
    heard = 0.05 * np.concatenate([np.zeros(delay), played])[: len(played)]
    latency = latency_of((heard + rng.normal(0, 0.01, len(heard))).astype(np.float32), rate_hz)
    assert holds(latency, delay / rate_hz)
    assert latency.high - latency.low < 1e-4


def test_chirps_that_are_not_heard_are_refused() -> None:
    noise = np.random.default_rng(9).normal(0, 0.01, len(chirps(RATE_HZ))).astype(np.float32)
    with pytest.raises(InputError, match=r"of 6 sweeps were heard .* turn the speaker up"):
        latency_of(noise, RATE_HZ)


def test_the_command_measures_a_file(tmp_path: Path) -> None:
    samples = quiet_and_loud(np.random.default_rng(10), floor=1e-3, signal=0.02)
    sound, out = tmp_path / "mic.wav", tmp_path / "c.toml"
    soundfile.write(sound, samples, RATE_HZ, subtype="FLOAT")
    shown = run("microphone", sound, "--target", -20, "--as", "/mic/audio", "--out", out)
    assert "true rate is not known" in shown
    assert "all bands carry sound" in shown
    section = read_toml(out)["microphone"]["/mic/audio"]
    assert section["gain"] == pytest.approx(10 ** (-20 / 20) / np.sqrt(2) / 0.02, rel=0.02)
    assert section["noise_floor_dbfs"] == pytest.approx(20 * np.log10(1e-3 * np.sqrt(2)), abs=0.1)
    assert section["provenance"]["rate_hz"] == RATE_HZ
    assert "true_rate_hz" not in section
    assert "-20 dBFS" in run("show", out)


def test_a_recording_of_ours_tells_the_rate_by_arrival(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    samples = quiet_and_loud(rng, seconds=30)[:, np.newaxis]
    counted_ns, seen_ns = block_times(rng, 75.0)
    taken = []
    for number, (device_ns, receive_ns) in enumerate(zip(counted_ns, seen_ns, strict=True)):
        values = samples[160 * number : 160 * (number + 1)]
        device = UniformBlock(MICROPHONE, int(device_ns) + 10**9, RATE_HZ, values)
        mapped = UniformBlock(MICROPHONE, int(receive_ns), RATE_HZ, values)
        taken.append(Taken(int(receive_ns), mapped, device))
    record(tmp_path / "mic.mcap", taken)
    out = tmp_path / "c.toml"
    run("microphone", tmp_path / "mic.mcap", "--out", out)
    section = read_toml(out)["microphone"][MICROPHONE]
    assert section["rate_by"] == "arrival"
    low, high = section["rate_ppm_interval"]
    assert low <= 75 <= high
    assert section["true_rate_hz"] == pytest.approx(RATE_HZ * (1 + 75e-6), abs=0.1)


def test_a_bag_tells_the_rate_by_its_stamps(tmp_path: Path) -> None:
    rng = np.random.default_rng(12)
    samples = quiet_and_loud(rng, seconds=30)
    _, seen_ns = block_times(rng, -40.0)
    parts = (samples * 32767).astype("<i2").reshape(-1, 160)
    messages = [audio_info("/audio_info", int(seen_ns[0]), rate_hz=RATE_HZ)]
    messages += [audio("/audio", int(seen_ns[number]), part) for number, part in enumerate(parts)]
    out = tmp_path / "c.toml"
    run("microphone", write_mcap(tmp_path / "ros.mcap", messages), "--out", out)
    section = read_toml(out)["microphone"]["/audio"]
    assert section["rate_by"] == "stamps"
    assert section["rate_ppm"] == pytest.approx(-40, abs=3)


def test_a_target_needs_something_loud(tmp_path: Path) -> None:
    sound = tmp_path / "silence.wav"
    quiet = np.random.default_rng(0).normal(0, 1e-3, 5 * RATE_HZ)
    soundfile.write(sound, quiet, RATE_HZ, subtype="FLOAT")
    with pytest.raises(InputError, match=r"^silence\.wav: .* 0\.0 s of sound 10 dB above"):
        run("microphone", sound, "--target", -20, "--out", tmp_path / "c.toml")
    with pytest.raises(InputError, match="give either a RECORDING or --mic"):
        run("microphone", "--out", tmp_path / "c.toml")


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    held = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        floor, offset = 10 ** rng.uniform(-4, -2.5), rng.uniform(-0.01, 0.01)
        signal, ppm = 10 ** rng.uniform(-1.7, -1), rng.uniform(-200, 200)
        levels = measure_levels(
            quiet_and_loud(rng, floor=floor, signal=signal, offset=offset), RATE_HZ
        )
        fits = [
            true_rate(*block_times(rng, ppm, kind=kind)) for kind in ("queue", "error", "wanders")
        ]
        assert levels.signal is not None
        held.append([
            holds(levels.floor, floor**2), holds(levels.offset, offset),
            holds(levels.signal, signal**2),
            *(fit is not None and fit.low_ppm <= ppm <= fit.high_ppm for fit in fits),
        ])  # fmt: skip
    assert (np.mean(held, axis=0) >= 0.90).all(), np.mean(held, axis=0)


@pytest.mark.slow
def test_errors_shrink_with_the_root_of_the_length() -> None:
    def spread(seconds: float) -> float:
        offsets = [
            measure_levels(
                quiet_and_loud(np.random.default_rng(seed), seconds=seconds, rate_hz=2000), 2000
            ).offset.value
            for seed in range(200)
        ]
        return float(np.std(offsets))

    assert 3.0 < spread(5) / spread(80) < 5.3  # 4 = sqrt(16), known to 10 % of 200 instances each
