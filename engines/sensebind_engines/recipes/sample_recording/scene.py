# SPDX-License-Identifier: Apache-2.0
"""The hall in which the sample recording happens: walls, light, a gravel bed, things to look at.

World axes follow REP 103 (x east, y north, z up), metres. Nothing but the ground, the gravel and
the barrier collides with the robot. `PLACES` says where the chosen models stand.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sensebind_engines.recipes.sample_recording import textures
from sensebind_engines.recipes.sample_recording.ground import (
    BED_ASSET,
    BED_RANGE_M,
    GRAVEL_CENTRE_M,
    GRAVEL_SIZE_M,
    height_cells,
)
from sensebind_engines.recipes.sample_recording.models3d import (
    load_model,
    model_assets,
    model_body,
)
from sensebind_engines.recipes.simulation.mjcf import RobotSpec, Scene

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Mapping

CAMERA = "robot_camera"
OVERVIEW = "overview"
_OVERVIEW_FROM_M = (7.4, -11.3, 4.7)
_OVERVIEW_TO_M = (1.8, -3.0, 0.0)
FOVY_DEG = 50.0
CAMERA_HEIGHT_M = 0.68
"""Above the ground while the robot stands; the camera looks straight ahead from a mast."""

BARRIER_M = (2.0, -4.5)
"""Middle of the padded block that the robot runs into."""


@dataclass(frozen=True)
class Place:
    """A model in the hall.

    Attributes:
        label: its class.
        library: of the model.
        model: its key in the library.
        position_m: of the middle of its foot, world frame.
        turn_deg: its turn about +z as seen from the robot's stop; 0 shows the front.
        seen_heading_deg: where the robot looks when it stands before it (0 east, 90 north).
    """

    label: str
    library: str
    model: str
    position_m: tuple[float, float, float]
    turn_deg: float
    seen_heading_deg: float

    @property
    def yaw_rad(self) -> float:
        """Turn in the world; at 0 a model faces south."""
        return math.radians(self.turn_deg + self.seen_heading_deg - 90.0)


PLACES = (
    Place("table", "Scopia", "black_table", (-2.5, 0.1, 0.0), -28.0, 180.0),
    Place("lamp", "Scopia", "little_lamp1", (0.0, 1.05, 0.45), 0.0, 90.0),
    Place("sofa", "Scopia", "simple_sofa", (6.3, 0.1, 0.0), -12.0, 0.0),
    Place("car", "Scopia", "smart-car", (3.6, -8.4, 0.0), -28.0, -90.0),
    Place("chair", "Scopia", "chair", (-3.5, -4.45, 0.0), 27.0, 180.0),
    Place("person", "Reallusion", "holdingMale01", (-1.7, -10.2, 0.0), 10.0, -90.0),
)
"""None is seen from a side from which `scouting` looked."""

STAND_M = ((0.0, 1.05), (0.22, 0.22, 0.45))
"""What the lamp stands on: middle and width, depth, height of a box."""

_VISUAL = """<quality shadowsize="2048" offsamples="4"/>
<map znear=".05" zfar="30" shadowclip="9"/>
<headlight ambient=".48 .48 .48" diffuse=".26 .26 .26" specular="0 0 0"/>
<global offwidth="640" offheight="480"/>"""

_LIGHTS = """<light type="directional" pos="1 -4 3" dir=".15 .3 -1" diffuse=".52 .51 .48"
 specular=".15 .15 .15" castshadow="true"/>
<light type="directional" pos="6 2 5" dir="-.6 -.3 -.6" diffuse=".14 .15 .17" castshadow="false"
 specular="0 0 0"/>"""

_SKY = '<texture name="sky" type="skybox" builtin="flat" rgb1=".72 .74 .76" width="8" height="8"/>'

_WALL_HALF_M = 3.0
_WEST_M, _EAST_M, _SOUTH_M, _NORTH_M = -5.5, 8.2, -12.0, 2.6

_FRAMES = (
    ("x", 2.6, _NORTH_M - 0.06, 1.7, 0.8, 0.5),
    ("x", -3.6, _NORTH_M - 0.06, 1.7, 0.6, 0.45),
    ("x", -2.2, _SOUTH_M + 0.06, 2.0, 1.3, 0.9),
    ("x", 7.0, _SOUTH_M + 0.06, 2.0, 0.9, 0.9),
    ("y", _EAST_M - 0.06, -3.6, 1.8, 1.2, 0.8),
    ("y", _WEST_M + 0.06, -1.6, 1.7, 0.7, 0.5),
    ("y", _WEST_M + 0.06, -7.4, 1.8, 1.2, 0.8),
)


def build_scene(
    libraries: Mapping[str, zipfile.ZipFile], spec: RobotSpec, rng: np.random.Generator
) -> Scene:
    """The hall as additions to the robot's world; textures are drawn from `rng`."""
    assets, files = _surfaces(rng)
    bodies = [_LIGHTS, _walls(), _furnishing(), _barrier(), _overview()]
    for place in PLACES:
        model = load_model(libraries[place.library], place.model)
        model_xml, model_files = model_assets(model, place.label)
        assets.append(model_xml)
        files |= model_files
        bodies.append(model_body(model, place.label, place.position_m, place.yaw_rad))
    return Scene(
        assets="\n".join(assets),
        bodies="\n".join(bodies),
        onboard=_mast(spec),
        visual=_VISUAL,
        floor_material="carpet",
        files=files,
    )


def _surfaces(rng: np.random.Generator) -> tuple[list[str], dict[str, bytes]]:
    """Texture, material and height-field assets of the hall."""
    images = {
        "carpet": textures.plaster(rng, (0.47, 0.43, 0.41)),
        "wall": textures.plaster(rng, (0.80, 0.79, 0.74)),
        "accent": textures.plaster(rng, (0.46, 0.55, 0.58)),
        "gravel": textures.gravel(rng),
        "rug": textures.rug(rng),
        "landscape": textures.landscape(rng),
    }
    repeats = {"carpet": "16 16", "wall": "4 2", "accent": "3 2", "gravel": "2 3"}
    rows, columns = height_cells(GRAVEL_SIZE_M)
    half_x_m, half_y_m = GRAVEL_SIZE_M[0] / 2, GRAVEL_SIZE_M[1] / 2
    size = f"{half_x_m} {half_y_m} {BED_RANGE_M} .05"
    assets = [_SKY, f'<hfield name="{BED_ASSET}" nrow="{rows}" ncol="{columns}" size="{size}"/>']
    for name in images:
        assets.append(f'<texture name="{name}" type="2d" file="{name}.png"/>')
        repeat = repeats.get(name, "1 1")
        assets.append(f'<material name="{name}" texture="{name}" texrepeat="{repeat}"/>')
    return assets, {f"{name}.png": textures.to_png(image) for name, image in images.items()}


def _box(centre: str, half: str, look: str) -> str:
    return f'<geom type="box" pos="{centre}" size="{half}" {look} contype="0" conaffinity="0"/>'


def _walls() -> str:
    """Four walls with skirting boards; the north and east ones are painted."""
    middle_x, middle_y = (_WEST_M + _EAST_M) / 2, (_SOUTH_M + _NORTH_M) / 2
    half_x, half_y = (_EAST_M - _WEST_M) / 2, (_NORTH_M - _SOUTH_M) / 2
    parts = []
    for y, inward, paint in ((_SOUTH_M, 1, "wall"), (_NORTH_M, -1, "accent")):
        look = f'material="{paint}"'
        parts.append(_box(f"{middle_x} {y} {_WALL_HALF_M}", f"{half_x} .05 {_WALL_HALF_M}", look))
        skirting = f"{middle_x} {y + 0.06 * inward} .06"
        parts.append(_box(skirting, f"{half_x} .012 .06", 'rgba=".92 .91 .88 1"'))
    for x, inward, paint in ((_WEST_M, 1, "wall"), (_EAST_M, -1, "wall")):
        look = f'material="{paint}"'
        parts.append(_box(f"{x} {middle_y} {_WALL_HALF_M}", f".05 {half_y} {_WALL_HALF_M}", look))
        skirting = f"{x + 0.06 * inward} {middle_y} .06"
        parts.append(_box(skirting, f".012 {half_y} .06", 'rgba=".92 .91 .88 1"'))
    return "\n".join(parts)


def _furnishing() -> str:
    """A rug under the sofa, a stand, the visible gravel with its border, and pictures."""
    x, y = GRAVEL_CENTRE_M
    half_x, half_y = GRAVEL_SIZE_M[0] / 2, GRAVEL_SIZE_M[1] / 2
    edge = 'rgba=".35 .27 .2 1"'
    frames = "".join(_framed(*frame) for frame in _FRAMES)
    return "\n".join(
        [
            _box("6.2 .1 .004", "1.4 1.5 .004", 'material="rug"'),
            _stand(),
            _box(f"{x - half_x - 0.03} {y} .02", f".03 {half_y} .02", edge),
            _box(f"{x + half_x + 0.03} {y} .02", f".03 {half_y} .02", edge),
            (
                f'<geom type="hfield" hfield="{BED_ASSET}" pos="{x} {y} .001" material="gravel" '
                'contype="0" conaffinity="0"/>'
            ),
            frames,
        ]
    )


def _stand() -> str:
    (x, y), (width, depth, height) = STAND_M
    half = f"{width / 2} {depth / 2} {height / 2}"
    return _box(f"{x} {y} {height / 2}", half, 'rgba=".5 .36 .25 1"')


def _framed(along: str, x: float, y: float, z: float, half_w: float, half_h: float) -> str:
    """A framed landscape flat on a wall that runs along the x or the y axis."""
    edge_w, edge_h = half_w + 0.05, half_h + 0.05
    if along == "x":
        inner, outer = f"{half_w} .03 {half_h}", f"{edge_w} .02 {edge_h}"
    else:
        inner, outer = f".03 {half_w} {half_h}", f".02 {edge_w} {edge_h}"
    centre = f"{x} {y} {z}"
    return _box(centre, outer, 'rgba=".93 .92 .9 1"') + _box(centre, inner, 'material="landscape"')


def _barrier() -> str:
    """A low block of hazard-striped foam, heavy enough not to move."""
    x, y = BARRIER_M
    stripes = "\n".join(
        _box(f"{x + 0.152} {y - 0.6 + 0.2 * k} .17", ".003 .05 .17", 'rgba=".12 .12 .12 1"')
        for k in range(7)
    )
    return (
        f'<geom name="barrier" type="box" pos="{x} {y} .17" size=".15 .65 .17" '
        f'rgba=".93 .72 .12 1"/>{stripes}'
    )


def _mast(spec: RobotSpec) -> str:
    """Camera mast on the robot: without mass, so the dynamics stay those of the robot."""
    height_m = CAMERA_HEIGHT_M - spec.chassis_height_m
    x_m = spec.half_length_m - 0.03
    return f"""<geom type="cylinder" fromto="{x_m} 0 {spec.half_height_m} {x_m} 0 {height_m}"
 size=".012" mass="0" rgba=".25 .25 .28 1"/>
<geom type="box" pos="{x_m} 0 {height_m}" size=".012 .045 .025" mass="0" rgba=".8 .8 .82 1"/>
<camera name="{CAMERA}" pos="{x_m + 0.02} 0 {height_m}" xyaxes="0 -1 0 0 0 1"
 fovy="{FOVY_DEG}"/>"""


def _overview() -> str:
    """A fixed camera for pictures of the whole hall; nothing of it is in the recording."""
    forward = np.subtract(_OVERVIEW_TO_M, _OVERVIEW_FROM_M)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    axes = [*right, *np.cross(right, forward)]
    position = " ".join(str(value) for value in _OVERVIEW_FROM_M)
    xyaxes = " ".join(f"{value:.6f}" for value in axes)
    return f'<camera name="{OVERVIEW}" pos="{position}" xyaxes="{xyaxes}" fovy="53"/>'
