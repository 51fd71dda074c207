# SPDX-License-Identifier: Apache-2.0
"""Walls from recordings of a depth camera, and the section of a calibration file they make."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from sensebind.calibration.sections import InvalidMap
from sensebind.errors import InputError
from sensebind.grid import NS_PER_S
from sensebind.types import Modality
from sensebind_calibration.camera_info import DepthCamera, depth_camera
from sensebind_calibration.depth import Seen, dead_pixels, fit_depth, range_limits, summary
from sensebind_calibration.depth_view import DepthView, look
from sensebind_calibration.recording import dated, joined_sha256, open_sense, refusals_of
from sensebind_calibration.sense_sections import DepthSection, PlaneView
from sensebind_calibration.writing import written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from sensebind.calibration.sections import Provenance
    from sensebind.types import Block
    from sensebind_calibration.known import Known


@dataclass(frozen=True, slots=True)
class Wall:
    """A view of a recording.

    Attributes:
        seen: the view and the distance told.
        stream: it was seen in.
        recording, sha256: of the recording.
        serial: of the camera, "" if it tells none.
        facts: what the recording tells of the camera.
        notes: what looked odd to the reader.
    """

    seen: Seen
    stream: str
    recording: str
    sha256: str
    serial: str
    facts: DepthCamera
    notes: list[str] = field(default_factory=list)


def see_wall(
    part: Known,
    stream: str | None,
    advance: Callable[[float], None] = lambda _share: None,
    claim: Callable[[str], None] = lambda _stream: None,
) -> Wall:
    """Read a part of a recording.

    Args:
        part: the recording, the part and the distance.
        stream: "TOPIC" or "TOPIC=depth,unit=…"; the one `replay` would take if None.
        advance: takes the share read.
        claim: told of the stream before it is read; raises if there is no use in it.

    Raises:
        SourceError: if it cannot be read or lacks the stream.
        InputError: if it holds no depth, or too few frames of it.
    """
    with open_sense(part.recording, Modality.DEPTH, stream, part.limits) as found:
        claim(found.name)
        recording = part.recording
        facts = DepthCamera()
        if isinstance(recording, Path):
            facts = depth_camera(recording, found.name)
        config = found.config
        camera = facts.camera if config.focal_px is None else None

        def watched() -> Iterator[Block]:
            for block in found.blocks():
                yield block
                advance(found.source.progress())

        with refusals_of(found.source.name, stream=found.name):
            view = look(watched(), config, camera)
        return Wall(
            Seen(view, part.value),
            found.name,
            found.source.name,
            found.source.sha256(),
            found.serial,
            facts,
            found.notes,
        )


def calibrate_depth(
    walls: Sequence[Wall],
    scene: Wall | None,
    out: Path,
    *,
    tape_error_m: float,
    serial: str = "",
    temperature_c: float | None = None,
) -> DepthSection:
    """The section of a depth camera; its map of invalid pixels is written beside `out`.

    Args:
        walls: at least one, of one camera at one size.
        scene: with edges of depth, if there is one.
        out: the calibration file.
        tape_error_m: standard error of the distances told.
        serial: of the sensor, if known.
        temperature_c: of the sensor, if known.

    Raises:
        InputError: if a view shows no wall at rest, or none is measured.
        SinkError: if the map cannot be written.
    """
    seen = [wall.seen for wall in walls]
    views = [_view(wall) for wall in walls]
    good = [each for each, view in zip(seen, views, strict=True) if view.distance_m is not None]
    with refusals_of(*(wall.recording for wall in walls), stream=walls[0].stream):
        height, width = _size(seen)
        _check_measured(views, good)
        fit = fit_depth(good, tape_error_m)
    near_m, far_m = range_limits(views)
    dead = dead_pixels(good)
    edges, flying = _edges([*seen, scene.seen] if scene else seen)
    return DepthSection(
        provenance=_origin(walls, serial, temperature_c),
        scale=fit.scale,
        scale_interval=fit.scale_interval,
        offset_m=fit.offset_m,
        offset_interval=fit.offset_interval,
        determined=fit.determined,
        views=tuple(views),
        residual_m=fit.residual_m,
        raw_residual_m=fit.raw_residual_m,
        min_range_m=near_m,
        max_range_m=far_m,
        invalid=None if dead is None or not dead.any() else write_map(out, dead),
        invalid_pixels=0 if dead is None else int(dead.sum()),
        edges=edges,
        flying=flying,
        focal_px=good[0].view.camera.focal_px or None,
        baseline_m=walls[0].facts.baseline_m,
        width=width,
        height=height,
    )


def _view(wall: Wall) -> PlaneView:
    with refusals_of(wall.recording, stream=wall.stream):
        return summary(wall.seen)


def _size(seen: Sequence[Seen]) -> tuple[int, ...]:
    """Height and width of the frames, which are all alike."""
    sizes = {each.view.measured.shape for each in seen}
    if len(sizes) > 1:
        raise InputError(
            f"the recordings have frames of {sorted(size[::-1] for size in sizes)} pixels, "
            "expected one size: record all with the same settings"
        )
    return sizes.pop()


def _check_measured(views: Sequence[PlaneView], good: Sequence[Seen]) -> None:
    if not good:
        filled = max(view.filled for view in views)
        raise InputError(
            f"{filled:.0%} of the middle of the picture is measured, expected 80 % at least in one "
            "recording: the wall is too near, too far, too dark or shines; go to a distance that "
            "the camera is made for"
        )


def _edges(seen: Sequence[Seen]) -> tuple[float, float]:
    """Share of the measured pixels at edges of depth, and of these those that hang in the air."""
    edges, flying, pixels = (
        sum(getattr(each.view, name) for each in seen) for name in ("edges", "flying", "pixels")
    )
    return edges / pixels, flying / edges if edges else 0.0


def write_map(out: Path, dead: NDArray[np.bool_]) -> InvalidMap:
    """Write a map of invalid pixels beside a file; its name holds its hash, so none is replaced.

    Raises:
        SinkError: if it cannot be written.
    """
    buffer = io.BytesIO()
    Image.fromarray(np.where(dead, 255, 0).astype(np.uint8)).save(buffer, "PNG")
    content = buffer.getvalue()
    digest = hashlib.sha256(content).hexdigest()
    path = out.with_name(f"{out.stem}.invalid-{digest[:12]}.png")
    with written(path) as temporary:
        temporary.write_bytes(content)
    return InvalidMap(file=path.name, sha256=digest, width=dead.shape[1], height=dead.shape[0])


def _origin(walls: Sequence[Wall], serial: str, temperature_c: float | None) -> Provenance:
    views: list[DepthView] = [wall.seen.view for wall in walls]
    names = list(dict.fromkeys(wall.recording for wall in walls))
    return dated(
        ", ".join(names),
        joined_sha256([wall.sha256 for wall in walls]),
        readings=sum(view.frames for view in views),
        duration_s=sum(view.end_ns - view.begin_ns for view in views) / NS_PER_S,
        serial=serial,
        temperature_c=temperature_c,
    )
