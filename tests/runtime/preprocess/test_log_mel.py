# SPDX-License-Identifier: Apache-2.0
"""Log-mel features: against float64, against torchaudio's error, and frame by frame."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensebind.errors import InputError
from sensebind.preprocess import log_mel
from sensebind.preprocess.spectrogram import LogMel, plan_of
from sensebind.specs import LogMelSpec
from tests.support.log_mel import assert_as_exact_as_torchaudio, oracle, signals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.preprocess._log_mel_kernels import Kernel

IMAGEBIND = LogMelSpec()
LOGARITHMS = LogMelSpec(mean=0, std=1)
SIGNALS = signals()
KERNELS: list[Kernel] = ["simd", "portable"]
CONFIGURATIONS = {
    "126 bins": LogMelSpec(mel_bins=126),
    "64 bins at 48 kHz": LogMelSpec(
        rate_hz=48000,
        frame_length_s=1024 / 48000,
        fft_size=1024,
        mel_bins=64,
        low_hz=50,
        high_hz=14000,
        preemphasis=0,
        remove_dc=False,
        window="hann_periodic",
        mel_scale="slaney",
        mel_slopes="hz",
        mel_norm="slaney",
        logarithm="decibel",
        log_floor=1e-10,
    ),
    "odd frames, magnitudes": LogMelSpec(
        frame_length_s=401 / 16000,
        frame_shift_s=99 / 16000,
        spectrum="magnitude",
        window="hamming",
        logarithm="log10",
        low_hz=0,
    ),
    "small": LogMelSpec(
        frame_length_s=17 / 16000, fft_size=32, mel_bins=4, window="povey", preemphasis=1
    ),
    "rectangle": LogMelSpec(window="rectangular", high_hz=7000, mel_slopes="hz", fft_size=2048),
}


def features(kernel: Kernel, samples: NDArray[np.float32], spec: LogMelSpec) -> NDArray[np.float32]:
    plan = LogMel(spec, kernel=kernel)
    out = np.full((spec.mel_bins, plan.frame_count(samples.size)), np.nan, np.float32)
    plan.frames(samples, out)
    return out


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", SIGNALS)
def test_error_is_at_most_twice_torchaudios(kernel: Kernel, name: str) -> None:
    assert_as_exact_as_torchaudio(name, features(kernel, SIGNALS[name], LOGARITHMS))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_other_front_ends_are_configurations(kernel: Kernel, name: str) -> None:
    spec = CONFIGURATIONS[name]
    samples = SIGNALS["noise"][:3001]
    exact = oracle(samples, spec)
    np.testing.assert_allclose(features(kernel, samples, spec), exact, rtol=0, atol=2e-4)
    assert np.ptp(exact) > 0.5, "the configuration's features are not flat"


@pytest.mark.parametrize("kernel", KERNELS)
@settings(max_examples=30)
@given(data=st.data())
def test_a_frame_depends_on_its_samples_alone(kernel: Kernel, data: st.DataObject) -> None:
    samples = SIGNALS["barks"]
    whole = features(kernel, samples, IMAGEBIND)
    plan = LogMel(IMAGEBIND, kernel=kernel)
    first = data.draw(st.integers(0, whole.shape[1] - 1))
    count = data.draw(st.integers(1, whole.shape[1] - first))
    unused = data.draw(st.integers(0, plan.frame_shift - 1))
    begin = first * plan.frame_shift
    end = begin + plan.frame_length + (count - 1) * plan.frame_shift
    others = data.draw(st.sampled_from([0.0, np.nan, np.inf, 1e30]))
    part = np.full(samples.size + 7, others, np.float32)
    part[begin + 7 : end + 7] = samples[begin:end]
    ring = np.full((IMAGEBIND.mel_bins, count + 5), -7, np.float32)
    plan.frames(part[begin + 7 : end + 7 + unused], ring[:, 3 : 3 + count])
    assert ring[:, 3 : 3 + count].tobytes() == whole[:, first : first + count].tobytes()
    assert (ring[:, :3] == -7).all()
    assert (ring[:, 3 + count :] == -7).all()


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_what_is_not_a_sound_spoils_its_own_frames_only(kernel: Kernel, value: float) -> None:
    clean = features(kernel, SIGNALS["noise"], IMAGEBIND)
    samples = SIGNALS["noise"].copy()
    samples[4000] = value
    spoilt = features(kernel, samples, IMAGEBIND)
    touched = [i for i in range(clean.shape[1]) if i * 160 <= 4000 < i * 160 + 400]
    kept = np.setdiff1d(np.arange(clean.shape[1]), touched)
    assert spoilt[:, kept].tobytes() == clean[:, kept].tobytes()
    assert (spoilt[:, touched] != clean[:, touched]).any()


@pytest.mark.parametrize("kernel", KERNELS)
def test_subnormal_samples_are_zeros(kernel: Kernel) -> None:
    tiny = np.where(np.arange(8000) % 2, 1e-40, -3e-42).astype(np.float32)
    silence = features(kernel, SIGNALS["silence"], IMAGEBIND)
    assert features(kernel, tiny, IMAGEBIND).tobytes() == silence.tobytes()
    gaps = SIGNALS["noise"] * (np.arange(8000) % 3 > 0).astype(np.float32)
    filled = np.where(gaps == 0, tiny, gaps)
    expected = features(kernel, gaps, IMAGEBIND)
    assert features(kernel, filled, IMAGEBIND).tobytes() == expected.tobytes()


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("loudness", [1e-3, 1e-4, 1e-5, 1e-6])
def test_faint_sound_is_not_taken_for_silence(kernel: Kernel, loudness: float) -> None:
    spec = msgspec.structs.replace(LOGARITHMS, log_floor=1e-14)
    samples = SIGNALS["noise"] * np.float32(loudness)
    exact = oracle(samples, spec)
    assert exact.max() > np.log(1e-14) + 1
    np.testing.assert_allclose(features(kernel, samples, spec), exact, rtol=0, atol=1e-3)


def test_threads_share_a_plan() -> None:
    plan = plan_of(IMAGEBIND)
    jobs = [np.roll(SIGNALS["barks"], 100 * k) for k in range(16)]

    def run(samples: NDArray[np.float32]) -> bytes:
        out = np.empty((128, plan.frame_count(samples.size)), np.float32)
        plan.frames(samples, out)
        return out.tobytes()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(run, jobs)) == [run(samples) for samples in jobs]


def test_imagebinds_clip() -> None:
    clip = np.tile(SIGNALS["barks"], 4)
    made = log_mel(clip, rate_hz=16000)
    assert made.dtype == np.float32
    assert made.shape == (1, 128, 204)
    np.testing.assert_allclose(made[0, :, :198], oracle(clip, IMAGEBIND), rtol=0, atol=1e-4)
    # Padding comes before normalisation: published as +0.467, and not what silence is.
    assert (made[0, :, 198:] == np.float32(4.268 / 9.138)).all()
    silence = log_mel(np.zeros(32000, np.float32))[0, :, :198]
    np.testing.assert_allclose(silence, -1.2775645, atol=2e-7)


def test_long_clips_are_cut() -> None:
    clip = np.tile(SIGNALS["noise"], 8)
    made = log_mel(clip)
    assert made.tobytes() == log_mel(clip[: 400 + 203 * 160]).tobytes()
    assert made[0, :, -1].tobytes() != np.full(128, 4.268 / 9.138, np.float32).tobytes()


def test_one_frame_is_enough() -> None:
    made = log_mel(SIGNALS["noise"][:400])
    assert made[0, :, 0].tobytes() == features("simd", SIGNALS["noise"][:400], IMAGEBIND).tobytes()
    assert (made[0, :, 1:] == np.float32(4.268 / 9.138)).all()


@pytest.mark.parametrize(
    ("samples", "frames"), [(0, 0), (399, 0), (400, 1), (559, 1), (560, 2), (32000, 198)]
)
def test_only_whole_frames_count(samples: int, frames: int) -> None:
    assert plan_of(IMAGEBIND).frame_count(samples) == frames


def test_no_frames_are_no_work() -> None:
    plan_of(IMAGEBIND).frames(np.zeros(399, np.float32), np.empty((128, 0), np.float32))


def test_out_is_filled() -> None:
    out = np.empty((1, 128, 204), np.float32)
    assert log_mel(SIGNALS["noise"], out=out) is out
    assert out.tobytes() == log_mel(SIGNALS["noise"]).tobytes()


def test_any_layout_of_samples_will_do() -> None:
    expected = log_mel(SIGNALS["noise"]).tobytes()
    stereo = np.stack([SIGNALS["noise"], SIGNALS["tone"]], axis=1)
    assert log_mel(stereo[:, 0]).tobytes() == expected
    frozen = SIGNALS["noise"].copy()
    frozen.flags.writeable = False
    assert log_mel(frozen).tobytes() == expected
    shifted = np.frombuffer(b"x" + SIGNALS["noise"].tobytes(), np.float32, offset=1)
    assert log_mel(shifted).tobytes() == expected


def test_the_plan_tells_its_lattice() -> None:
    plan = LogMel(CONFIGURATIONS["64 bins at 48 kHz"])
    assert (plan.frame_length, plan.frame_shift) == (1024, 480)
    assert plan.pad_value == np.float32(4.268 / 9.138)


@dataclass
class Bad:
    """A call that must fail, and what its message must say."""

    waveform: Any
    says: str
    arguments: dict[str, Any]


NOISE = SIGNALS["noise"]
BROKEN = NOISE.copy()
BROKEN[17] = np.nan
ENDLESS = NOISE.copy()
ENDLESS[3] = -np.inf
BAD = {
    "int16": Bad((NOISE * 32767).astype(np.int16), "int16, expected .* divided by 32768", {}),
    "float64": Bad(NOISE.astype(np.float64), "is float64, expected a float32", {}),
    "big-endian": Bad(NOISE.astype(">f4"), "is >f4, expected a float32", {}),
    "list": Bad([0.0] * 400, "is list, expected a float32", {}),
    "stereo": Bad(np.stack([NOISE, NOISE]), r"shape \(2, 8000\), expected \(n,\), one channel", {}),
    "scalar": Bad(np.float32(1) * np.ones((), np.float32), "expected a float32 array", {}),
    "empty": Bad(NOISE[:0], "has 0 samples, expected at least 400", {}),
    "short": Bad(NOISE[:399], "has 399 samples, expected at least 400: one frame of 0.025 s", {}),
    "NaN": Bad(BROKEN, "sample 17 of the waveform is nan, expected finite", {}),
    "infinity": Bad(ENDLESS, "sample 3 of the waveform is -inf, expected finite", {}),
    "rate": Bad(NOISE, "rate_hz is 48000, the front end takes 16000; resample", {"rate_hz": 48000}),
    "out shape": Bad(NOISE, r"expected C-contiguous float32 \(1, 128, 204\)", {
        "out": np.empty((128, 204), np.float32),
    }),
    "out dtype": Bad(NOISE, r"out is float64", {"out": np.empty((1, 128, 204))}),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_used_is_named(name: str) -> None:
    bad = BAD[name]
    with pytest.raises(InputError, match=bad.says):
        log_mel(bad.waveform, **bad.arguments)


IMPOSSIBLE: list[tuple[dict[str, Any], str]] = [
    ({"fft_size": 256}, "fft_size is 256, .* holds the frame's 400 samples, such as 512"),
    ({"fft_size": 500}, "fft_size is 500, expected a power of two"),
    ({"high_hz": 8001.0}, "high_hz is 8001, expected low_hz < high_hz <= 8000"),
    ({"low_hz": 8000.0}, "low_hz is 8000 and high_hz is 8000"),
    ({"low_hz": float("nan")}, "low_hz is nan"),
    ({"frame_length_s": 0.02501}, "frame_length_s is 0.02501 s, 400.16 samples .* such as 0.025 s"),
    ({"frame_shift_s": 1e-5}, "frame_shift_s is 1e-05 s, 0.16 samples"),
    ({"frame_length_s": float("inf")}, "frame_length_s is inf s"),
    ({"rate_hz": 200.0}, "frame_length_s is 0.025 s, 5 samples at 200 Hz; expected at least 16"),
    ({"rate_hz": 11025.0}, "frame_length_s is 0.025 s, 275.625 samples at 11025 Hz"),
    ({"rate_hz": float("nan")}, "frame_length_s is 0.025 s, nan samples"),
    ({"low_hz": 100.0, "high_hz": 101.0}, "no mel filter between low_hz=100 and high_hz=101"),
    ({"mean": float("nan")}, "mean is nan"),
    ({"std": float("inf")}, "std is inf"),
]


@pytest.mark.parametrize(("constants", "says"), IMPOSSIBLE)
def test_impossible_constants_are_named(constants: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        LogMel(LogMelSpec(**constants))


FRAMES = np.zeros((128, 48), np.float32)


@pytest.mark.parametrize(
    ("samples", "out", "says"),
    [
        (NOISE[::2], FRAMES, "samples are float32 (4000,) with strides (8,), expected contiguous"),
        (NOISE.astype(np.float64), FRAMES, "samples are float64 (8000,)"),
        (NOISE[None], FRAMES, "samples are float32 (1, 8000)"),
        (NOISE, FRAMES[:, :47], "out is float32 (128, 47)"),
        (NOISE, FRAMES.astype(np.float64), "out is float64 (128, 48)"),
        (
            NOISE,
            np.asfortranarray(FRAMES),
            "out is float32 (128, 48) with strides (4, 512), expected writeable",
        ),
        (NOISE, FRAMES[0], "out is float32 (48,)"),
        (NOISE, np.broadcast_to(FRAMES, FRAMES.shape), "expected writeable"),
    ],
)
def test_frames_checks_shapes(
    samples: NDArray[np.float32], out: NDArray[np.float32], says: str
) -> None:
    with pytest.raises(InputError, match=re.escape(says)):
        plan_of(IMAGEBIND).frames(samples, out)
