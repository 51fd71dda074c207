# SPDX-License-Identifier: Apache-2.0
"""A model on a floor before a wall: colour, true depth and what is seen where (software OpenGL)."""

from __future__ import annotations

import importlib
import math
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sensebind_engines.recipes.object_scenes.camera import Camera, draw_camera
from sensebind_engines.recipes.sample_recording import textures
from sensebind_engines.recipes.sample_recording.models3d import model_assets, model_body

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from sensebind_engines.recipes.sample_recording.models3d import Model3D

FRAME_PX = (240, 320)
"""Height and width."""
SMALL_M = 0.45
"""What is no larger and does not hang stands on a box."""
STAND_HEIGHT_M = (0.4, 0.9)
STAND_MARGIN_M = (0.05, 0.4)
WALL_GAP_M = (0.3, 3.0)
OPENING_GAP_M = (0.02, 0.25)
"""Of doors and windows, which belong in a wall."""
SIDE_WALL_SHARE = 0.4
FLAT_SHARE = 0.4
"""Of the surfaces; the others have a texture."""
TINT = (0.35, 1.0)
SURFACES = ("floor", "wall", "side", "stand")
LOOKS = ("flat", "planks", "plaster", "gravel", "rug")
_WALL_HALF_M = 8.0
_WALL_HALF_HEIGHT_M = 3.0
_AWAY_M = -50.0

_STAGE = """<mujoco><compiler angle="degree"/>
<visual><quality shadowsize="0" offsamples="4"/><map znear=".02" zfar="60"/>
<headlight ambient=".4 .4 .4" diffuse=".3 .3 .3" specular="0 0 0"/>
<global offwidth="{width}" offheight="{height}"/></visual><statistic extent="1"/>
<asset><texture type="skybox" builtin="flat" rgb1=".75 .78 .82" width="8" height="48"/>
{assets}</asset><worldbody>
<light name="lamp" pos="0 0 4" dir=".4 .7 -.6" directional="true" castshadow="false"/>
{surfaces}{body}</worldbody></mujoco>"""


class Shot(NamedTuple):
    """One view.

    colour uint8 [240, 320, 3] RGB, None if it was not asked for; depth_m float32 [240, 320] along
    the optical axis; surface int64 [240, 320], number of the geometry seen, -1 for none; focal_px
    of all of them.
    """

    colour: NDArray[np.uint8] | None
    depth_m: NDArray[np.float32]
    surface: NDArray[np.int64]
    focal_px: float


class Stage:
    """A compiled scene whose surroundings and camera are drawn anew for each shot."""

    def __init__(self, mujoco: Any, compiled: Any, renderer: Any, model: Model3D, at_m: float,  # noqa: ANN401
                 *, is_opening: bool) -> None:  # fmt: skip
        """See `open_stage`."""
        self._mujoco, self._compiled, self._renderer = mujoco, compiled, renderer
        self._data = mujoco.MjData(compiled)
        self._size_m = np.array(model.size_m)
        self._hangs = at_m > 0
        self._at_m = at_m
        self._is_opening = is_opening
        body = compiled.body("model")
        first = int(body.geomadr[0])
        self.parts = tuple(range(first, first + int(body.geomnum[0])))

    def shoot(self, rng: np.random.Generator, *, coloured: bool = True) -> Shot:
        """Draw surroundings, light and camera, and render them."""
        height = 0.0 if self._hangs else self._stand(rng)
        low = np.array([-self._size_m[0] / 2, -self._size_m[1] / 2, self._at_m + height])
        camera = draw_camera(low, low + self._size_m, rng, hangs=self._hangs)
        self._compiled.body_pos[self._compiled.body("model").id][2] = low[2]
        self._walls(camera, rng)
        self._looks(rng)
        self._light(rng)
        return self._rendered(camera, coloured=coloured)

    def _stand(self, rng: np.random.Generator) -> float:
        """Put a box under what is small, away if it is not; returns its height."""
        geom = self._compiled.geom("stand")
        margin, height = rng.uniform(*STAND_MARGIN_M, 2), rng.uniform(*STAND_HEIGHT_M)
        if self._size_m.max() > SMALL_M:
            geom.pos[:] = (0.0, 0.0, _AWAY_M)
            return 0.0
        geom.size[:] = (*(self._size_m[:2] / 2 + margin), height / 2)
        geom.pos[:] = (0.0, 0.0, height / 2)
        return float(height)

    def _walls(self, camera: Camera, rng: np.random.Generator) -> None:
        gap = rng.uniform(*(OPENING_GAP_M if self._is_opening else WALL_GAP_M))
        aside, has_side = rng.uniform(*WALL_GAP_M), rng.uniform() < SIDE_WALL_SHARE
        stand = self._compiled.geom("stand")
        reach = np.maximum(self._size_m[:2] / 2, stand.size[:2] if stand.pos[2] > 0 else 0.0)
        wall, side = self._compiled.geom("wall"), self._compiled.geom("side")
        wall.pos[:] = (0.0, reach[1] + gap, _WALL_HALF_HEIGHT_M)
        # The camera is on the left where it looks to the right, so the side wall is on the right.
        sign = 1.0 if camera.azimuth_deg < 90.0 else -1.0
        height = _WALL_HALF_HEIGHT_M if has_side else _AWAY_M
        side.pos[:] = (sign * (reach[0] + aside), 0.0, height)
        self._mujoco.mju_mat2Quat(side.quat, _facing((-sign, 0.0, 0.0)).ravel())

    def _looks(self, rng: np.random.Generator) -> None:
        for surface in SURFACES:
            look = "flat" if rng.uniform() < FLAT_SHARE else str(rng.choice(LOOKS[1:]))
            material = self._compiled.mat(f"{surface}-{look}")
            grey = rng.uniform(*TINT)
            material.rgba[:3] = np.clip(grey + rng.normal(0.0, 0.08, 3), 0.0, 1.0)
            self._compiled.geom(surface).matid[:] = material.id

    def _light(self, rng: np.random.Generator) -> None:
        turn = rng.uniform(0.0, 2.0 * math.pi)
        direction = np.array([0.6 * math.cos(turn), 0.6 * abs(math.sin(turn)), -0.7])
        lamp = self._compiled.light("lamp")
        lamp.dir[:] = direction / np.linalg.norm(direction)
        lamp.diffuse[:] = rng.uniform(0.25, 0.55)

    def _rendered(self, camera: Camera, *, coloured: bool) -> Shot:
        self._compiled.vis.global_.fovy = camera.fovy_deg
        self._mujoco.mj_forward(self._compiled, self._data)
        view = self._mujoco.MjvCamera()
        view.lookat[:] = camera.target_m
        view.distance, view.azimuth = camera.distance_m, camera.azimuth_deg
        view.elevation = camera.elevation_deg
        renderer = self._renderer
        colour = self._picture(view) if coloured else None
        renderer.enable_depth_rendering()
        depth_m = self._picture(view)
        renderer.disable_depth_rendering()
        renderer.enable_segmentation_rendering()
        surface = self._picture(view)[..., 0].astype(np.int64)
        renderer.disable_segmentation_rendering()
        return Shot(colour, depth_m, surface, camera.focal_px(FRAME_PX[0]))

    def _picture(self, view: Any) -> NDArray[Any]:  # noqa: ANN401
        self._renderer.update_scene(self._data, view)
        # Downloaded meshes have faces of either winding; culling would punch holes.
        self._renderer.scene.flags[self._mujoco.mjtRndFlag.mjRND_CULL_FACE] = 0
        return np.array(self._renderer.render())


@contextmanager
def open_stage(
    model: Model3D, pictures: dict[str, bytes], at_m: float = 0.0, *, is_opening: bool = False
) -> Iterator[Stage]:
    """Put a model on a stage.

    Args:
        model: what is shown, at its real size.
        pictures: the surroundings' textures, PNG by look; see `surface_pictures`.
        at_m: how high it hangs; 0 for what stands.
        is_opening: it is a door or a window, close before the wall.

    Raises:
        ValueError: if MuJoCo cannot take its meshes.
    """
    mujoco = importlib.import_module("mujoco")
    assets, files = model_assets(model, "model")
    text = _STAGE.format(
        height=FRAME_PX[0],
        width=FRAME_PX[1],
        assets=assets + _surface_assets(),
        surfaces=_surface_geoms(),
        body=model_body(model, "model", (0.0, 0.0, at_m), 0.0),
    )
    named = {f"{look}.png": content for look, content in pictures.items()}
    compiled = mujoco.MjModel.from_xml_string(text, files | named)
    with mujoco.Renderer(compiled, *FRAME_PX) as renderer:
        yield Stage(mujoco, compiled, renderer, model, at_m, is_opening=is_opening)


@lru_cache(maxsize=1)
def surface_pictures(seed: int) -> dict[str, bytes]:
    """PNG textures of the surroundings by look, the same for all models."""
    rng = np.random.default_rng(seed)
    made = {
        "planks": textures.planks(rng),
        "plaster": textures.plaster(rng, (0.8, 0.8, 0.8)),
        "gravel": textures.gravel(rng),
        "rug": textures.rug(rng),
    }
    return {look: textures.to_png(image) for look, image in made.items()}


def _surface_assets() -> str:
    lines = [f'<texture name="{look}" type="2d" file="{look}.png"/>' for look in LOOKS[1:]]
    for surface in SURFACES:
        for look in LOOKS:
            texture = "" if look == "flat" else f'texture="{look}" texuniform="true"'
            lines.append(f'<material name="{surface}-{look}" specular="0" {texture}/>')
    return "\n".join(lines)


def _surface_geoms() -> str:
    """Planes of a room and a box; all stand somewhere else until a shot is drawn.

    None is at the origin: MuJoCo would take its place as fixed to the body's.
    """
    upright = f'size="{_WALL_HALF_M} {_WALL_HALF_HEIGHT_M} .1" type="plane"'
    shape = {
        "floor": f'type="plane" size="{2 * _WALL_HALF_M} {2 * _WALL_HALF_M} .1" pos="0 0 0"',
        "wall": f'{upright} xyaxes="1 0 0 0 0 1" pos="0 9 9"',
        "side": f'{upright} xyaxes="0 1 0 0 0 1" pos="9 0 9"',
        "stand": 'type="box" size=".1 .1 .1" pos="0 0 9"',
    }
    return "".join(
        f'<geom name="{name}" {shape[name]} material="{name}-flat" contype="0" conaffinity="0"/>'
        for name in SURFACES
    )


def _facing(normal: tuple[float, float, float]) -> NDArray[np.float64]:
    """Axes, as columns, of an upright plane with a horizontal normal."""
    return np.stack([np.cross((0.0, 0.0, 1.0), normal), (0.0, 0.0, 1.0), normal], axis=1)
