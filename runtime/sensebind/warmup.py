# SPDX-License-Identifier: Apache-2.0
"""Everything a bundle's encoders do for the first time, done ahead of time.

Kernels are compiled and kept on disk, so this is worth doing once per machine, when a container
is built or a robot set up; engines are loaded and run, so a live program does it once per start.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from sensebind.calibration import UNCALIBRATED
from sensebind.config import StreamConfig
from sensebind.cutting import cut_blocks
from sensebind.errors import InputError
from sensebind.grid import NS_PER_S
from sensebind.preprocess import make_preprocessor
from sensebind.specs import ImuSpec, LogMelSpec
from sensebind.types import Frame, FrameBlock, Modality, SampleBlock, UniformBlock
from sensebind.windowing import make_windower, rules_for
from sensebind.windowing.frames import FrameWindower

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sensebind.bundle import Bundle
    from sensebind.calibration import StreamCalibration
    from sensebind.encoder import Encoder
    from sensebind.specs import EncoderSpec
    from sensebind.types import Features, Window

Result = TypeVar("Result")

_STREAM = "warm-up"
_SIDE = 64  # pixels of a made-up picture
_FOCAL_PX = 60.0
_FRAME_PERIOD_NS = 100_000_000


class _Form(NamedTuple):
    """One form of pictures: pixels of `kind` up to `high`, worth `scale` each."""

    encoding: str
    kind: type[np.generic]
    high: float
    scale: float | None = None


_FORMS: dict[Modality, tuple[_Form, ...]] = {
    Modality.VISION: (_Form("rgb8", np.uint8, 250),),
    Modality.DEPTH: (_Form("16UC1", np.uint16, 4000), _Form("32FC1", np.float32, 4)),
    Modality.THERMAL: (_Form("mono8", np.uint8, 250), _Form("16UC1", np.uint16, 4000, 0.1)),
}
"""What the front ends treat differently, each with kernels of its own."""


@dataclass(frozen=True, slots=True)
class Warmed:
    """What one encoder took, in seconds of wall time.

    Attributes:
        modality: the encoder.
        open_s: checking its files and loading its engine.
        prepare_first_s: making features for the first time, compiling or loading what that
            needs; None for text.
        prepare_again_s: making the features of one window afterwards.
        encode_first_s: running the engine for the first time; for text with its tokenizer.
        encode_again_s: running it again.
    """

    modality: Modality
    open_s: float
    prepare_first_s: float | None
    prepare_again_s: float | None
    encode_first_s: float
    encode_again_s: float


def warm_up(bundle: Bundle) -> Iterator[Warmed]:
    """Open every encoder of a bundle and run it on made-up input, one by one.

    Raises:
        BundleError, BackendError: if an encoder cannot be opened or run.
    """
    for modality in bundle.modalities:
        encoder, open_s = _timed(partial(bundle.encoder, modality))
        if modality is Modality.TEXT:
            encode = partial(bundle.encode_text, ["a word"])
            yield Warmed(modality, open_s, None, None, _timed(encode)[1], _timed(encode)[1])
        else:
            yield Warmed(modality, open_s, *_run(encoder))


def _run(encoder: Encoder) -> tuple[float, float, float, float]:
    """Seconds of preparing, first and again, and of encoding, first and again."""
    windows = synthetic_windows(encoder.modality, encoder.spec)

    def prepare(window: Window) -> Features:
        # A new preprocessor holds nothing that an earlier window had computed.
        return make_preprocessor(encoder.spec).prepare(window).features

    first_s = again_s = 0.0
    for window in windows:
        features, seconds = _timed(partial(prepare, window))
        first_s += seconds
        again_s += _timed(partial(prepare, window))[1] / len(windows)
    encode = partial(encoder.encode, [features])
    return first_s, again_s, _timed(encode)[1], _timed(encode)[1]


def warm_front_end(
    encoder: Encoder, stream: StreamConfig, calibration: StreamCalibration = UNCALIBRATED
) -> None:
    """Make features of a stream once, so that its first windows take no longer than others.

    Measured: loading compiled kernels takes up to 0.5 s at the first of all windows.
    """
    calibration = replace(calibration, invalid=None)  # which is of another size than the input
    for window in synthetic_windows(encoder.modality, encoder.spec):
        with suppress(InputError):  # a form that the stream's settings rule out: grey with a scale
            encoder.preprocessor(stream, calibration).prepare(window)


def synthetic_windows(modality: Modality, spec: EncoderSpec) -> list[Window]:
    """Complete windows of noise, one for each form of input that its front end treats apart."""
    assert spec.window is not None
    length_s = spec.window.length_s
    noise = np.random.default_rng(0)
    front_end = spec.preprocess
    stream = StreamConfig(modality=modality)
    if isinstance(front_end, ImuSpec):
        count = round(length_s * front_end.rate_hz) + 8
        stamps = np.arange(count) * round(NS_PER_S / front_end.rate_hz)
        samples = SampleBlock(_STREAM, stamps, noise.standard_normal((count, 6)))
        return cut_blocks(spec, stream, [samples], 0).windows[:1]
    if isinstance(front_end, LogMelSpec):
        count = round((length_s + spec.window.hop_s) * front_end.rate_hz)
        values = 0.1 * noise.standard_normal((count, 1)).astype(np.float32)
        audio = UniformBlock(_STREAM, 0, front_end.rate_hz, values)
        return cut_blocks(spec, stream, [audio], 0).windows[:1]
    frames = [_frame(form, noise) for form in _FORMS[modality]]
    return [_frame_window(spec, stream, frame) for frame in frames]


def _frame(form: _Form, noise: np.random.Generator) -> Frame:
    channels = 3 if form.encoding == "rgb8" else 1
    shape = (_SIDE, _SIDE, channels)
    pixels = noise.uniform(0.25 * form.high, form.high, shape).astype(form.kind)
    return Frame(
        data=pixels.tobytes(),
        encoding=form.encoding,
        width=_SIDE,
        height=_SIDE,
        step=pixels[0].nbytes,
        scale=form.scale,
        focal_px=_FOCAL_PX,
    )


def _frame_window(spec: EncoderSpec, stream: StreamConfig, frame: Frame) -> Window:
    """The same frame at all positions of a window."""
    assert spec.window is not None
    rules = rules_for(spec, stream)
    windower = make_windower(_STREAM, rules)
    assert isinstance(windower, FrameWindower)
    last_ns = rules.length_ns + rules.hop_ns
    windows = []
    for stamp_ns in range(0, last_ns + _FRAME_PERIOD_NS, _FRAME_PERIOD_NS):
        windows += windower.push(FrameBlock(_STREAM, stamp_ns, frame))
    return (windows + windower.flush())[-1]


def _timed(work: Callable[[], Result]) -> tuple[Result, float]:
    begin = time.perf_counter()
    result = work()
    return result, time.perf_counter() - begin
