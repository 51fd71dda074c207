# SPDX-License-Identifier: Apache-2.0
"""A microphone's levels, true rate and frequency range from a sound: quiet for a while, and loud.

calibrated = gain · (raw - dc_offset). The gain takes the loud parts to a level that is asked for;
what the loud parts are is up to whoever records: the sound the robot is to hear, at its distance.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sensebind.errors import InputError
from sensebind_calibration.levels import FEWEST_LOUD, WINDOW_S, dbfs, measure_levels
from sensebind_calibration.mel_range import measure_mel_range
from sensebind_calibration.sampling_rate import true_rate
from sensebind_calibration.sense_sections import MicrophoneSection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensebind.calibration.sections import Provenance
    from sensebind.specs import LogMelSpec
    from sensebind_calibration.hearing import Heard
    from sensebind_calibration.levels import Levels, Mean
    from sensebind_calibration.sections import Interval

_UNUSUAL_PPM = 300.0
_UNUSUAL_OFFSET = 0.01
_HIGH_FLOOR_DBFS = -40.0


def calibrate_microphone(
    heard: Heard,
    spec: LogMelSpec,
    provenance: Provenance,
    *,
    target_dbfs: float | None = None,
    latency: Mean | None = None,
) -> MicrophoneSection:
    """Measure a microphone.

    Args:
        heard: a sound of ten seconds and more, a few of them silent.
        spec: the front end whose range is looked at.
        provenance: of the sound; its rate is the nominal one.
        target_dbfs: where the loud parts shall be; the gain is 1 if None.
        latency: from playing to having recorded, in seconds, if it was measured.

    Raises:
        InputError: if the sound is no good for it, telling why and what to do.
    """
    levels = measure_levels(heard.samples, heard.rate_hz)
    gain = _gain(levels, target_dbfs)
    rate = true_rate(heard.counted_ns, heard.seen_ns)
    return MicrophoneSection(
        provenance=provenance,
        gain=1.0 if gain is None else gain[0],
        gain_interval=None if gain is None else gain[1],
        dc_offset=levels.offset.value,
        dc_offset_interval=(levels.offset.low, levels.offset.high),
        noise_floor_dbfs=dbfs(levels.floor.value),
        noise_floor_interval=_decibels(levels.floor),
        signal_dbfs=None if levels.signal is None else dbfs(levels.signal.value),
        peak=levels.peak,
        clipped=levels.clipped,
        target_dbfs=target_dbfs,
        true_rate_hz=None if rate is None else heard.rate_hz * (1 + rate.ppm * 1e-6),
        rate_ppm=None if rate is None else rate.ppm,
        rate_ppm_interval=None if rate is None else (rate.low_ppm, rate.high_ppm),
        rate_by="" if rate is None else heard.by,
        latency_s=None if latency is None else latency.value,
        latency_interval=None if latency is None else (latency.low, latency.high),
        mel=measure_mel_range(heard.samples, heard.rate_hz, levels, spec),
    )


def doubts(section: MicrophoneSection) -> Iterator[str]:
    """Sentences on what the user should know about the numbers."""
    if section.rate_ppm_interval is None:
        yield (
            "the true rate is not known: the recording is shorter than 10 s or its stamps are not "
            "of a reference clock (a sound file has none, others were counted from the samples); "
            "use --mic, or a recording of 'sensebind live --record'"
        )
    elif min(abs(end) for end in section.rate_ppm_interval) > _UNUSUAL_PPM:
        yield (
            f"the true rate is {section.rate_ppm:+.0f} ppm off the nominal one, more than a quartz "
            "is usually off; was the rate changed on the way (resampling by a sound server)?"
        )
    if section.mel is None:
        yield (
            "which of the mel bands the microphone carries is not known: the recording has no "
            "loud sound of a wide range; clap, or jingle a bunch of keys near it"
        )
    elif section.mel.silent:
        bands = ", ".join(band_text(section, *span) for span in section.mel.silent)
        yield (
            f"mel bands {bands} carry nothing: the microphone or its driver is band-limited, or "
            "the sound had nothing there; an encoder that was trained on the whole range sees "
            "another world"
        )
    if section.clipped:
        yield (
            f"{section.clipped:.2%} of the samples stand at the end of the scale "
            f"({section.peak:.3f}); turn the input gain down a little"
        )
    if abs(section.dc_offset) > _UNUSUAL_OFFSET:
        yield f"the samples have an offset of {section.dc_offset:+.4f}; is the sound card in order?"
    if section.noise_floor_dbfs > _HIGH_FLOOR_DBFS:
        yield (
            f"the noise floor is {section.noise_floor_dbfs:.1f} dBFS, above "
            f"{_HIGH_FLOOR_DBFS:g}: the room was not quiet, or the input gain is high"
        )
    if section.target_dbfs is not None and section.peak * section.gain > 1:
        yield (
            f"at the target the peaks reach {section.peak * section.gain:.2f} of full scale; "
            "nothing clips, for samples are floats, but a lower target is safer"
        )


def band_text(section: MicrophoneSection, first: int, last: int) -> str:
    """Bands "97-127 (4012-7900 Hz)", counted from 0."""
    mel = section.mel
    assert mel is not None
    return f"{first}-{last} ({mel.centres_hz[first]:.0f}-{mel.centres_hz[last]:.0f} Hz)"


def _gain(levels: Levels, target_dbfs: float | None) -> tuple[float, Interval] | None:
    if target_dbfs is None:
        return None
    signal = levels.signal
    if signal is None or signal.low <= 0:
        raise InputError(
            f"the recording has {int(levels.loud.sum()) * WINDOW_S:.1f} s of sound 10 dB above its "
            f"noise floor, expected at least {FEWEST_LOUD * WINDOW_S:g} s of one level to tell a "
            "gain; make the sound the robot is to hear, at its distance, or leave out --target"
        )
    wanted = 10 ** (target_dbfs / 10) / 2
    value, low, high = (
        math.sqrt(wanted / power) for power in (signal.value, signal.high, signal.low)
    )
    return value, (low, high)


def _decibels(power: Mean) -> Interval:
    return dbfs(max(power.low, 1e-3 * power.value)), dbfs(power.high)
