# SPDX-License-Identifier: Apache-2.0
"""Log-mel: 2 s of noise at 16 kHz to ImageBind's 1 x 128 x 204.

Ours checks, pads and normalises; torchaudio and kaldi-native-fbank stop at the 128 x 198
logarithms. Rows without a goal tell how far the floor is and how the cost grows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from benchmarks.preprocess_rows.base import Row
from sensebind.preprocess import log_mel
from sensebind.preprocess._log_mel_tables import tables_of
from sensebind.preprocess.column_ring import ColumnRing
from sensebind.preprocess.spectrogram import LogMel
from sensebind.specs import LogMelSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    F32 = NDArray[np.float32]

SPEC = LogMelSpec()
RATE_HZ = 16000
CLIP = 2 * RATE_HZ
HOP_FRAMES = 10
HELD_FRAMES = 4 * SPEC.frames


def noise(count: int = CLIP) -> F32:
    """White noise, standard deviation 0.1."""
    return (0.1 * np.random.default_rng(0).standard_normal(count)).astype(np.float32)


def operations(plan: LogMel) -> int:
    """Additions and multiplications of one frame, square roots and bit tricks not counted."""
    tables = tables_of(plan.spec)
    length, points = plan.frame_length, tables.order.size
    shape = 6 * length  # mean, subtraction, pre-emphasis, window
    butterflies = points // 4 * (points.bit_length() - 1) // 2
    transform = 34 * butterflies  # 16 additions, three complex products of 6
    power = 20 * points // 2
    logarithms = 25 * plan.spec.mel_bins
    return shape + transform + power + 2 * tables.weights.size + logarithms


def full(plan: LogMel, samples: F32) -> Callable[[], None]:
    """All frames of the samples."""
    out = np.empty((plan.spec.mel_bins, plan.frame_count(samples.size)), np.float32)
    return lambda: plan.frames(samples, out)


def hops(plan: LogMel, samples: F32, frames: int, times: int = 1) -> Callable[[], None]:
    """As a stream does: `frames` new ones into the ring, the ordered window out; `times` over."""
    shift, held = plan.frame_shift, plan.frame_count(samples.size)
    part = samples[: plan.frame_length + (frames - 1) * shift]
    ring = ColumnRing(plan.spec.mel_bins, HELD_FRAMES)
    window = np.empty((plan.spec.mel_bins, plan.spec.frames), np.float32)[:, :held]
    ring.begin_at(0, 0)
    plan.frames(samples, ring.extend(held))
    first = 0

    def work() -> None:
        nonlocal first
        for _ in range(times):
            first += frames
            known = ring.begin_at(0, first)
            plan.frames(part, ring.extend(held - known))
            np.copyto(window, ring.columns(held))

    return work


def rows() -> list[Row]:
    """Rows of this front end."""
    samples, out = noise(), np.empty((1, SPEC.mel_bins, SPEC.frames), np.float32)
    plan = LogMel(SPEC)
    return [
        *_peers(samples, out),
        Row(
            "log-mel hop 100 ms vs recompute",
            0.25,
            "lower",
            hops(plan, samples, HOP_FRAMES),
            full(plan, samples),
            "10 new frames into the ring and the ordered window of 128 x 198 out",
        ),
        *_floors(plan, samples),
        *_growth(plan, samples),
    ]


def _peers(samples: F32, out: F32) -> list[Row]:
    import kaldi_native_fbank as knf
    import torch
    from torchaudio.compliance import kaldi

    torch.set_num_threads(1)
    tensor, numbers = torch.from_numpy(samples)[None], samples.tolist()
    options = knf.FbankOptions()
    options.frame_opts.dither = 0
    options.frame_opts.window_type = "hanning"
    options.frame_opts.samp_freq = RATE_HZ
    options.mel_opts.num_bins = SPEC.mel_bins
    options.htk_compat, options.use_energy = True, False

    def with_torchaudio() -> Any:  # noqa: ANN401 -- a tensor
        return kaldi.fbank(
            tensor,
            htk_compat=True,
            sample_frequency=RATE_HZ,
            use_energy=False,
            window_type="hanning",
            num_mel_bins=SPEC.mel_bins,
            dither=0.0,
            frame_shift=10,
        )

    def with_knf() -> F32:
        made = knf.OnlineFbank(options)
        made.accept_waveform(float(RATE_HZ), numbers)
        made.input_finished()
        return np.stack([made.get_frame(i) for i in range(made.num_frames_ready)])

    def ours() -> F32:
        return log_mel(samples, SPEC, out=out)

    portable = full(LogMel(SPEC, kernel="portable"), samples)
    own = "checks, padding and normalisation included; the peer stops at the logarithms"
    return [
        Row("log-mel 2 s vs torchaudio", 10.0, "higher", ours, with_torchaudio, own),
        Row("log-mel 2 s vs kaldi-native-fbank", 25.0, "higher", ours, with_knf, own),
        Row("log-mel 2 s, portable, vs torchaudio", 2.5, "higher", portable, with_torchaudio),
    ]


def _floors(plan: LogMel, samples: F32) -> list[Row]:
    clips = 10
    count = operations(plan) * plan.frame_count(samples.size) * clips
    side = round((count / 2) ** (1 / 3))
    a = np.ones((side, side), np.float32)
    product, once = np.empty_like(a), full(plan, samples)
    moved = np.zeros(
        (samples.nbytes + 4 * SPEC.mel_bins * plan.frame_count(samples.size)) // 2, "b"
    )
    copy = np.empty_like(moved)

    def several() -> None:
        for _ in range(clips):
            once()

    return [
        Row(
            "log-mel 10 clips over MatMul",
            0,
            "lower",
            several,
            lambda: np.matmul(a, a, out=product),
            f"of as many operations: {count / clips / 1e6:.2f} million per clip",
        ),
        Row(
            "log-mel 2 s over copy",
            0,
            "lower",
            once,
            lambda: np.copyto(copy, moved),
            f"of as many bytes, read and written: {2 * moved.size / 1e3:.0f} kB",
        ),
    ]


def _growth(plan: LogMel, samples: F32) -> list[Row]:
    once, longer = full(plan, samples), full(plan, noise(CLIP + 5 * 198 * 160 - 198 * 160))
    half = LogMel(msgspec.structs.replace(SPEC, mel_bins=64))
    tiny = full(plan, samples * np.float32(1e-39))

    def five() -> None:
        for _ in range(5):
            once()

    return [
        Row("log-mel 990 frames over 5 x 198", 0, "lower", longer, five, "linear is 1"),
        Row("log-mel 64 bins over 128", 0, "lower", full(half, samples), once, "flat is 1"),
        Row(
            "log-mel hop 1 s over 10 x 100 ms",
            0,
            "lower",
            hops(plan, samples, 100),
            hops(plan, samples, HOP_FRAMES, times=10),
            "linear in new frames is 1; ten hops deliver ten windows",
        ),
        Row("log-mel subnormal samples over noise", 1.1, "lower", tiny, once, "no slow numbers"),
    ]
