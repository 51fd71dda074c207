# SPDX-License-Identifier: Apache-2.0
"""A calibration of a robot's sensors, and what of it belongs to the streams of a run."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sensebind.calibration.file import checked, parse_tables, read_bytes
from sensebind.calibration.sections import (
    SECTIONS,
    ClockSection,
    DepthSection,
    ImuSection,
    InvalidMap,
    MicrophoneSection,
    ScoresSection,
    Section,
    ThermalSection,
)
from sensebind.errors import CalibrationError, InputError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

    from sensebind.types import Modality

RATE_TOLERANCE = {"imu": 0.05, "microphone": 0.01}
"""By how much the rate of a stream may differ from that of its calibration, by kind. Clocks are
within 0.0002 of each other; a larger difference is another setting of the sensor, with filters and
errors of its own. Rates of cameras change none of their numbers."""

_MEASURED_ONLY = ("allan",)
"""Kinds that tell of a sensor and change nothing of what it delivers."""


@dataclass(frozen=True, slots=True)
class StreamCalibration:
    """The sections of one stream; None where there is none.

    Attributes:
        stream: its name; "" for none in particular.
        invalid: bool (h, w), pixels of depth frames that are never used; None for none.
        unchecked: the sensor's serial number, if the stream's source does not tell its own.
    """

    stream: str = ""
    imu: ImuSection | None = None
    microphone: MicrophoneSection | None = None
    depth: DepthSection | None = None
    thermal: ThermalSection | None = None
    clock: ClockSection | None = None
    scores: ScoresSection | None = None
    invalid: NDArray[np.bool_] | None = None
    unchecked: str = ""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of the sections that change what the stream delivers."""
        kinds = (kind for kind in SECTIONS if kind != ScoresSection.KIND)
        return tuple(kind for kind in kinds if getattr(self, kind) is not None)


Scores = dict[str, ScoresSection]
"""What zero-shot scores are worth, by stream."""

UNCALIBRATED = StreamCalibration()


@dataclass(frozen=True, slots=True)
class Calibration:
    """A calibration file.

    Attributes:
        path: where it was read.
        sha256: hash of its bytes.
        sections: by kind and stream; only kinds that a run applies.
        others: kinds of the file's other sections.
        maps: invalid pixels, bool (h, w), by stream.
    """

    path: Path
    sha256: str
    sections: Mapping[tuple[str, str], Section]
    others: tuple[str, ...] = ()
    maps: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict, repr=False)

    @classmethod
    def load(cls, path: str | Path) -> Calibration:
        """Read a file and the maps beside it, and check all of it.

        Raises:
            InputError: naming the file, the section, the key, its value, what was expected and
                what to do.
        """
        path = Path(path)
        content = read_bytes(path)
        sections: dict[tuple[str, str], Section] = {}
        tables = parse_tables(content, path)
        for kind, struct in SECTIONS.items():
            for stream, table in tables.get(kind, {}).items():
                sections[kind, stream] = checked(path, kind, stream, table, struct)
        others = tuple(kind for kind in tables if kind not in SECTIONS)
        maps = {
            stream: invalid_pixels(path, section.invalid)
            for (_, stream), section in sections.items()
            if isinstance(section, DepthSection) and section.invalid is not None
        }
        return cls(path, hashlib.sha256(content).hexdigest(), sections, others, maps)

    def of_stream(
        self, stream: str, modality: Modality, *, serial: str = "", rate_hz: float = 0.0
    ) -> StreamCalibration:
        """The sections of one stream.

        Args:
            stream: its name.
            modality: what it is read as.
            serial: number of its sensor, "" if unknown.
            rate_hz: its nominal rate, 0 if unknown.

        Raises:
            CalibrationError: if a section is of another sense, sensor or rate.
        """
        found = {k: section for (k, name), section in self.sections.items() if name == stream}
        for kind, section in found.items():
            self._check_sense(kind, stream, section, modality)
            self._check_serial(kind, stream, section, serial)
            if rate_hz:
                check_rate(kind, stream, section.provenance.rate_hz, rate_hz)
        known = {section.provenance.serial for section in found.values()}
        values: dict[str, Any] = {**found, "invalid": self.maps.get(stream)}
        unchecked = "" if serial else ", ".join(sorted(known - {""}))
        return StreamCalibration(stream, **values, unchecked=unchecked)

    def of_sense(self, modality: Modality) -> StreamCalibration:
        """The sections of the only stream of a sense, for data of no stream; clocks left out.

        Raises:
            CalibrationError: if there are several.
        """
        streams = [name for (_, name), s in self.sections.items() if s.MODALITY is modality]
        if len(streams) > 1:
            raise CalibrationError(
                f"{self.path} has sections of several {modality.value} streams "
                f"({', '.join(map(repr, streams))}), and data without a stream does not tell "
                "which; give a file with one of them"
            )
        if not streams:
            return UNCALIBRATED
        return replace(self.of_stream(streams[0], modality), clock=None, scores=None)

    def scores(self, run: Mapping[str, str], *, space_id: str, prompts_sha256: str) -> Scores:
        """What scores are worth, by stream.

        Args:
            run: the streams that are scored, with the ids of their encoders.
            space_id: of the bundle.
            prompts_sha256: of the classes and their prompts.

        Raises:
            CalibrationError: if a stream's was found with other prompts or encoders.
        """
        found: dict[str, ScoresSection] = {}
        for (_, stream), section in self.sections.items():
            if isinstance(section, ScoresSection) and stream in run:
                known = (section.space_id, section.encoder_id or run[stream])
                if known != (space_id, run[stream]):
                    raise CalibrationError(
                        f'{self.path}: section [scores."{stream}"] was found with another bundle '
                        f"(space {section.space_id:.12}, encoder {section.encoder_id:.12}; this "
                        f"run's are {space_id:.12}, {run[stream]:.12}); calibrate the scores with "
                        "this one, or remove the section"
                    )
                if section.prompts_sha256 != prompts_sha256:
                    raise CalibrationError(
                        f'{self.path}: section [scores."{stream}"] was found with other prompts '
                        f"(of the classes {', '.join(section.labels)}); give those by --prompts, "
                        "calibrate the scores with these, or remove the section"
                    )
                found[stream] = section
        return found

    def unused(self, applied: Mapping[str, Collection[str]]) -> list[str]:
        """Sections other than those applied (kinds by stream), unknown kinds among them."""
        left = [(kind, name) for kind, name in self.sections if kind not in applied.get(name, ())]
        unknown = [f"[{kind}]" for kind in self.others if kind not in _MEASURED_ONLY]
        return [f'[{kind}."{name}"]' for kind, name in left] + unknown

    def check_streams(self, streams: Collection[str]) -> None:
        """Refuse a file of which nothing belongs to a run.

        Raises:
            CalibrationError: naming the file's streams and the run's.
        """
        if not any(name in streams for _, name in self.sections):
            held = ", ".join(f'[{kind}."{name}"]' for kind, name in self.sections) or "none"
            raise CalibrationError(
                f"{self.path} has no section that applies to a stream of this run; its sections: "
                f"{held}; the run's streams: {', '.join(map(repr, streams)) or 'none'}. Calibrate "
                "one of these, or write a section for its name with 'sensebind calibrate … --as'"
            )

    def _check_sense(self, kind: str, stream: str, section: Section, modality: Modality) -> None:
        if section.MODALITY is not None and section.MODALITY is not modality:
            raise CalibrationError(
                f'{self.path}: section [{kind}."{stream}"] is of {section.MODALITY.value}, but '
                f"the stream is read as {modality.value}; read it as {section.MODALITY.value} by "
                "--stream, or remove the section"
            )

    def _check_serial(self, kind: str, stream: str, section: Section, serial: str) -> None:
        known = section.provenance.serial
        if serial and known and serial != known:
            raise CalibrationError(
                f'{self.path}: section [{kind}."{stream}"] is of the sensor with serial number '
                f"{known}, but the stream comes from {serial}; calibrate this sensor, or use its "
                "own file"
            )


def check_rate(kind: str, stream: str, calibrated_hz: float, rate_hz: float) -> None:
    """Refuse a calibration made at another rate; 0 for `calibrated_hz` is any.

    Raises:
        CalibrationError: telling both and the tolerance.
    """
    tolerance = RATE_TOLERANCE.get(kind)
    if tolerance is None or not calibrated_hz:
        return
    if not abs(rate_hz / calibrated_hz - 1) <= tolerance:
        raise CalibrationError(
            f'the calibration [{kind}."{stream}"] was made at {calibrated_hz:g} Hz, but the '
            f"stream comes at {rate_hz:.6g} Hz; expected the same rate within {tolerance:.0%}: "
            "set the sensor to it, or calibrate it as it is set now"
        )


def invalid_pixels(path: Path, told: InvalidMap) -> NDArray[np.bool_]:
    """The map beside a calibration file: bool (height, width), true where a pixel is never used.

    Raises:
        InputError: if it cannot be read, or is not the one that the file was written with.
    """
    from PIL import Image

    place = path.parent / told.file
    try:
        content = place.read_bytes()
    except OSError as error:
        raise InputError(
            f"{place}, {path.name}'s map of invalid pixels, cannot be read "
            f"({error.strerror or error}); put it beside that file, or calibrate again"
        ) from None
    found = hashlib.sha256(content).hexdigest()
    if found != told.sha256:
        raise InputError(
            f"{place} is not the map that {path} was written with: its SHA-256 is {found}, "
            f"expected {told.sha256}; calibrate again, or put the right file there"
        )
    try:
        with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
            pixels, mode = np.asarray(image), image.mode
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{place} is no PNG file that can be read: {error}") from None
    if mode not in ("1", "L") or pixels.shape != (told.height, told.width):
        raise InputError(
            f"{place} has {pixels.shape[1]} x {pixels.shape[0]} pixels of mode {mode}, expected "
            f"{told.width} x {told.height} grey ones of 8 bits, above 0 where a pixel is never used"
        )
    invalid: NDArray[np.bool_] = pixels > 0
    invalid.flags.writeable = False
    return invalid
