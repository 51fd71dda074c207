# SPDX-License-Identifier: Apache-2.0
"""The numbers that decide where windows lie, as integers of nanoseconds.

Window k of a stream ends at kH of the reference clock (H the hop), whenever the program started,
so windows of all modalities with the same hop end together.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from sensebind.errors import ConfigError
from sensebind.grid import NS_PER_S, exact, nanoseconds
from sensebind.specs import DepthSpec, ImuSpec, LogMelSpec, TextSpec, ThermalSpec, VisionSpec

if TYPE_CHECKING:
    from sensebind.config import StreamConfig
    from sensebind.specs import ChannelPolicy, EncoderSpec

RESET_NS = NS_PER_S
"""A stamp this far behind the newest one (or twice the lateness) is a reset of the clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRules:
    """What all kinds of streams share.

    Attributes:
        length_ns: span L of a window.
        hop_ns: distance H of the grid instants.
        min_coverage: least share of the span backed by samples.
        lateness_ns: how far behind the newest stamp a sample may arrive.
    """

    length_ns: int
    hop_ns: int
    min_coverage: float = 0.9
    lateness_ns: int = 0

    @property
    def reset_ns(self) -> int:
        """Backward jump that starts the stream anew."""
        return max(RESET_NS, 2 * self.lateness_ns)

    def first_index_after(self, stamp_ns: int) -> int:
        """Smallest k with kH > stamp."""
        return stamp_ns // self.hop_ns + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRules(WindowRules):
    """Irregular streams (IMU).

    Attributes:
        rate_hz: rate of the grid points coverage is counted on.
        max_interval_ns: longest spacing of two samples that covers the grid points between.
        gap_limit_ns: a longer spacing ends the segment.
        support: samples needed beyond either end of the span (1 linear, 2 cubic).
    """

    rate_hz: float
    max_interval_ns: int
    gap_limit_ns: int
    support: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class UniformRules(WindowRules):
    """Uniform streams (audio).

    Attributes:
        frame_shift: Fraction of a second between frames of the front end; windows start on
            whole frames of their segment.
        gap_limit_ns: a longer hole ends the segment, a shorter one is filled with zeros.
        tolerance_ns: largest stamp error before a hole, an overlap or a relock is declared.
        rate_hz: rate the samples are resampled to.
        channels: how several channels become one.
    """

    frame_shift: Fraction
    gap_limit_ns: int
    tolerance_ns: int
    rate_hz: float
    channels: ChannelPolicy = "first"

    def __post_init__(self) -> None:
        """Refuse frames and windows that are no whole number of samples."""
        spans = (("frame shift", self.frame_shift), ("window", Fraction(self.length_ns, NS_PER_S)))
        for name, span in spans:
            if (span * exact(self.rate_hz)).denominator != 1:
                raise ConfigError(
                    f"a {name} of {float(span):g} s is {float(span) * self.rate_hz:g} samples at "
                    f"the front end's {self.rate_hz:g} Hz, expected a whole number; mend the bundle"
                )

    @property
    def shift_samples(self) -> int:
        """Samples per frame shift."""
        return int(self.frame_shift * exact(self.rate_hz))

    @property
    def span_samples(self) -> int:
        """Samples per window."""
        return int(Fraction(self.length_ns, NS_PER_S) * exact(self.rate_hz))


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameRules(WindowRules):
    """Frame streams (camera, depth, thermal).

    Attributes:
        positions: where in the window frames are taken, 0 its start and 1 its end.
        max_age_ns: oldest frame an instant may use; two frame periods if None.
        at_frames: encode the first frame of each grid cell instead of the newest at an instant.
    """

    positions: tuple[float, ...] = (1.0,)
    max_age_ns: int | None = None
    at_frames: bool = False


def rules_for(spec: EncoderSpec, stream: StreamConfig, hop_s: float | None = None) -> WindowRules:
    """Rules of a stream: its own settings, else the run's hop, else the manifest's.

    Raises:
        ConfigError: if the hop does not fit the front end or a setting does not fit the stream.
    """
    window = spec.window
    if window is None or isinstance(spec.preprocess, TextSpec):
        raise ConfigError(f"modality {stream.modality.value!r} is not windowed; encode it directly")
    common = WindowRules(
        length_ns=nanoseconds(window.length_s),
        hop_ns=nanoseconds(stream.hop_s or hop_s or window.hop_s),
        min_coverage=stream.min_coverage or window.min_coverage,
        lateness_ns=nanoseconds(stream.lateness_s),
    )
    front_end = spec.preprocess
    if isinstance(front_end, ImuSpec):
        return SampleRules(
            **asdict(common),
            rate_hz=front_end.rate_hz,
            max_interval_ns=nanoseconds(front_end.max_interval_s),
            gap_limit_ns=nanoseconds(front_end.gap_limit_s),
            support=2 if front_end.interpolation == "cubic" else 1,
        )
    if isinstance(front_end, LogMelSpec):
        return UniformRules(
            **asdict(common),
            frame_shift=_shift_dividing(front_end.frame_shift_s, common.hop_ns),
            gap_limit_ns=nanoseconds(front_end.gap_limit_s),
            tolerance_ns=nanoseconds(stream.jitter_s or front_end.frame_shift_s / 2),
            rate_hz=front_end.rate_hz,
            channels=front_end.channels,
        )
    assert isinstance(front_end, (VisionSpec, DepthSpec, ThermalSpec))
    max_age_s = stream.max_age_s or front_end.max_age_s
    return FrameRules(
        **asdict(common),
        positions=front_end.frame_positions,
        max_age_ns=None if max_age_s is None else nanoseconds(max_age_s),
        at_frames=stream.trigger == "frame",
    )


def _shift_dividing(frame_shift_s: float, hop_ns: int) -> Fraction:
    """The front end's frame shift, checked to divide the hop."""
    shift = exact(frame_shift_s)
    hop = Fraction(hop_ns, NS_PER_S)
    if (hop / shift).denominator != 1:
        below, above = hop // shift * shift, (hop // shift + 1) * shift
        nearest = " or ".join(f"{float(h):g}" for h in (below, above) if h > 0)
        raise ConfigError(
            f"hop {float(hop):g} s is not a multiple of the front end's frame shift "
            f"{float(shift):g} s; the nearest that are: {nearest} s"
        )
    return shift
