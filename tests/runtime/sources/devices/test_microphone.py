# SPDX-License-Identifier: Apache-2.0
"""A real sound server as the microphone: what is played arrives to the bit, and is stamped."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("sounddevice", reason="sounddevice (extra audio) is missing")

from sensebind import Bundle, Pipeline
from sensebind.config import PipelineConfig, StreamConfig
from sensebind.errors import SourceError
from sensebind.sources.base import SourceReport
from sensebind.sources.devices.microphone import STREAM, Microphone, _Callback
from sensebind.sources.devices.microphones import find_microphone, list_microphones
from sensebind.types import Modality, UniformBlock
from tests.support.pulse import RATE_HZ, PulseServer

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from sensebind.types import Block, Embedding

SELECTED = {STREAM: StreamConfig(modality=Modality.AUDIO)}
WAIT_S = 60.0


SILENT = RATE_HZ // 5
"""The server may lose a few samples when a player begins; they are to be silent ones."""


def noise(seconds: float, seed: int = 0) -> NDArray[np.int16]:
    rng = np.random.default_rng(seed)
    sound = rng.integers(-12_000, 12_000, round(seconds * RATE_HZ)).astype(np.int16)
    sound[:SILENT] = 0
    return sound


class Ear:
    """Keeps what a microphone delivers."""

    def __init__(self) -> None:
        self.blocks: list[UniformBlock] = []
        self.failures: list[Exception] = []
        self.heard = threading.Event()
        self.failed = threading.Event()
        self._until = 0
        self._changed = threading.Condition()

    def take(self, block: Block) -> None:
        assert isinstance(block, UniformBlock)
        with self._changed:
            self.blocks.append(block)
            self._changed.notify_all()

    def fail(self, error: Exception) -> None:
        self.failures.append(error)
        self.failed.set()

    def wait_for(self, samples: int) -> None:
        with self._changed:
            assert self._changed.wait_for(
                lambda: sum(len(b.values) for b in self.blocks) >= samples, WAIT_S
            )

    def samples(self) -> NDArray[np.int16]:
        joined = np.concatenate([block.values[:, 0] for block in self.blocks])
        return np.round(joined * 32768).astype(np.int16)


def place_of(sound: NDArray[np.int16], heard: NDArray[np.int16]) -> int:
    """Where in `heard` the sound begins, if none of it was lost."""
    head = sound[SILENT : SILENT + 64]
    view = np.lib.stride_tricks.sliding_window_view(heard, len(head))
    (places,) = np.nonzero((view == head).all(axis=1))
    assert len(places) == 1
    return int(places[0]) - SILENT


@pytest.mark.parametrize("sample_format", ["int16", "float32"])
def test_sound_arrives_to_the_bit(server: PulseServer, sample_format: Any) -> None:
    sound, ear = noise(2), Ear()
    microphone = Microphone("pulse", rate_hz=RATE_HZ, sample_format=sample_format)
    microphone.start(SELECTED, ear.take, ear.fail)
    try:
        ear.wait_for(1)
        server.play(sound)
        ear.wait_for(len(ear.samples()) + RATE_HZ // 2)
    finally:
        microphone.stop()
    heard = ear.samples()
    begin = place_of(sound, heard)
    np.testing.assert_array_equal(heard[begin : begin + len(sound)], sound)
    assert not ear.failures


def test_blocks_follow_each_other_by_their_stamps(server: PulseServer) -> None:
    ear = Ear()
    microphone = Microphone("pulse", rate_hz=44_100, block_frames=441)
    microphone.start(SELECTED, ear.take, ear.fail)
    try:
        ear.wait_for(4410)
    finally:
        microphone.stop()
    first = ear.blocks[0].stamp_ns
    count = 0
    for block in ear.blocks:
        assert block.stamp_ns == first + round(count * 1e9 / 44_100)
        assert block.values.shape == (441, 1)
        count += 441


def test_live_vectors_are_those_of_a_file(server: PulseServer, bundle_folder: Path) -> None:
    """The played samples, at the offset at which they were heard, give the very same vectors."""
    sound = noise(5, seed=1)
    tap = Tap()
    config = PipelineConfig(streams={STREAM: StreamConfig(modality=Modality.AUDIO)})
    with Bundle.load(str(bundle_folder)) as bundle:
        live: list[Embedding] = []
        with Pipeline(bundle, config) as pipeline:

            def listen() -> None:
                live.extend(pipeline.run(Microphone("pulse", rate_hz=RATE_HZ), recorder=tap))

            thread = threading.Thread(target=listen)
            thread.start()
            tap.ear.wait_for(1)
            server.play(sound)
            tap.ear.wait_for(len(tap.ear.samples()) + RATE_HZ // 2)
            pipeline.stop()
            thread.join(WAIT_S)
        heard = tap.ear.samples()
        begin = place_of(sound, heard)
        file = np.zeros_like(heard)
        file[begin : begin + len(sound)] = sound
        first, at = settled(tap.ear.blocks)
        values = file[at:, np.newaxis].astype(np.float32) / np.float32(32768)
        with Pipeline(bundle, config) as pipeline:
            block = UniformBlock(STREAM, first.stamp_ns, RATE_HZ, values, first.clock_rate_hz)
            pipeline.push(block)
            replayed = {e.grid_ns: e.vector.tobytes() for e in pipeline.flush()}
    compared = [e for e in live if e.start_ns >= first.stamp_ns]
    assert len(compared) >= 5
    for embedding in compared:
        assert replayed[embedding.grid_ns] == embedding.vector.tobytes()


def settled(blocks: list[UniformBlock]) -> tuple[UniformBlock, int]:
    """The block since which the clock's line was held, and the number of samples before it.

    The first blocks come later than others, which shows only afterwards.
    """
    ends = np.cumsum([len(block.values) for block in blocks])
    origins = [
        block.stamp_ns - (end - len(block.values)) * 1e9 / block.clock_rate_hz
        for block, end in zip(blocks, ends, strict=True)
    ]
    index = next(i for i in range(len(blocks)) if abs(origins[i] - origins[-1]) < 1e5)
    return blocks[index], int(ends[index]) - len(blocks[index].values)


class Tap:
    """What a run offers its recorder."""

    def __init__(self) -> None:
        self.ear = Ear()

    def begin(self, *_streams: object, **_known: object) -> None:
        pass

    def offer(self, _device: Block, mapped: Block, _receive_ns: int) -> None:
        self.ear.take(mapped)

    def offer_break(self, stream: str, _receive_ns: int) -> None:
        raise AssertionError(f"{stream} was not kept up with")


def test_devices_are_listed_and_found(server: PulseServer) -> None:
    names = [microphone.name for microphone in list_microphones()]
    assert "pulse (ALSA)" in names
    assert find_microphone("puls").name == "pulse (ALSA)"
    assert find_microphone(str(names.index("pulse (ALSA)"))).name == "pulse (ALSA)"


def test_bad_wishes_name_what_there_is(server: PulseServer) -> None:
    with pytest.raises(SourceError, match=r"'puls3'; did you mean 'pulse \(ALSA\)'\? There are 0:"):
        Microphone("puls3").streams()
    with pytest.raises(SourceError, match=r"may be any of .* give more of its name, or its number"):
        Microphone("alsa").streams()
    with pytest.raises(SourceError, match=r"does not take 1 channels of int16 at 7 Hz .* 48000"):
        Microphone("pulse", rate_hz=7).streams()
    with pytest.raises(SourceError, match=r"has 32 channels, 99 were asked for"):
        Microphone("pulse", channels=99).streams()


def test_a_server_that_went_away_is_told_and_found_again(server: PulseServer) -> None:
    ear = Ear()
    microphone = Microphone("pulse", rate_hz=RATE_HZ)
    microphone.start(SELECTED, ear.take, ear.fail)
    ear.wait_for(1)
    server.stop()
    with pytest.raises(SourceError, match=r"cannot be opened|no microphone"):
        Microphone("pulse", rate_hz=RATE_HZ).start(SELECTED, ear.take, ear.fail)
    microphone.stop()
    server.start()
    again = Ear()
    microphone.start(SELECTED, again.take, again.fail)
    again.wait_for(1)
    microphone.stop()


def called(callback: _Callback, frames: int, adc_s: float, *, overflow: bool = False) -> None:
    status = SimpleNamespace(input_overflow=overflow)
    when = SimpleNamespace(inputBufferAdcTime=adc_s, currentTime=adc_s)
    callback.take(np.ones((frames, 1), np.int16), frames, when, status)


@pytest.mark.parametrize(
    ("adc_s", "lost"), [(10.03, 320), (0.0, 160), (10.01, 160)], ids=["told", "no time", "small"]
)
def test_what_the_driver_lost_becomes_a_hole(adc_s: float, lost: int) -> None:
    ear, report = Ear(), SourceReport()
    callback = _Callback(STREAM, "int16", 16_000.0, report, ear.take, ear.fail)
    called(callback, 160, 10.0)
    called(callback, 160, adc_s, overflow=True)
    first, second = ear.blocks
    assert second.stamp_ns - first.stamp_ns == round((160 + lost) * 1e9 / 16_000)
    assert report.skipped == {STREAM: {"overflow": lost}}


def test_an_unsteady_converter_time_is_no_hole() -> None:
    ear, report = Ear(), SourceReport()
    callback = _Callback(STREAM, "int16", 16_000.0, report, ear.take, ear.fail)
    called(callback, 160, 10.0)
    called(callback, 160, 10.57)
    first, second = ear.blocks
    assert second.stamp_ns - first.stamp_ns == 10_000_000
    assert report.skipped == {}
