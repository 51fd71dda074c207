# SPDX-License-Identifier: Apache-2.0
"""Colour and true depth of one model from several sides, with nothing else in the picture."""

from __future__ import annotations

import importlib
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sensebind_engines.recipes.sample_recording.models3d import model_assets, model_body

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind_engines.recipes.sample_recording.models3d import Model3D

SIDE_PX = 224
FOVY_DEG = 48.0
TURN_DEG = (-70.0, 70.0)
"""About the vertical axis; 0 looks at the model's front."""
ELEVATION_DEG = (5.0, 35.0)
FILL = (0.6, 0.85)
"""Share of the picture's height that the model's bounding sphere takes."""

_STUDIO = """<mujoco><compiler angle="degree"/>
<visual><quality shadowsize="0" offsamples="4"/><map znear=".01" zfar="60"/>
<headlight ambient=".45 .45 .45" diffuse=".35 .35 .35" specular="0 0 0"/>
<global offwidth="{side}" offheight="{side}" fovy="{fovy}"/></visual><statistic extent="1"/>
<asset><texture type="skybox" builtin="flat" rgb1="1 1 1" rgb2="1 1 1" width="8" height="48"/>
{assets}</asset><worldbody>
<light pos="-1 -3 3" dir=".4 .7 -.6" directional="true" diffuse=".4 .4 .4" castshadow="false"/>
{body}</worldbody></mujoco>"""


class View(NamedTuple):
    """One picture.

    colour uint8 [224, 224, 3] RGB; depth_m float32 [224, 224] in metres along the optical axis,
    0 where there is nothing; focal_px of both.
    """

    colour: NDArray[np.uint8]
    depth_m: NDArray[np.float32]
    focal_px: float


def render_views(model: Model3D, count: int, rng: np.random.Generator) -> list[View]:
    """Render a model from `count` directions drawn by `rng`, at its real size.

    Raises:
        ValueError: if MuJoCo cannot take its meshes.
    """
    mujoco = importlib.import_module("mujoco")
    assets, files = model_assets(model, "model")
    body = model_body(model, "model", (0.0, 0.0, 0.0), 0.0)
    text = _STUDIO.format(side=SIDE_PX, fovy=FOVY_DEG, assets=assets, body=body)
    compiled = mujoco.MjModel.from_xml_string(text, files)
    data = mujoco.MjData(compiled)
    mujoco.mj_forward(compiled, data)
    with mujoco.Renderer(compiled, SIDE_PX, SIDE_PX) as renderer:
        return [
            _view(mujoco, renderer, data, _camera(mujoco, model, rng), model) for _ in range(count)
        ]


def _camera(mujoco: Any, model: Model3D, rng: np.random.Generator) -> Any:  # noqa: ANN401
    camera = mujoco.MjvCamera()
    camera.lookat[:] = (0.0, 0.0, model.size_m[2] / 2)
    camera.distance = _radius_m(model) / math.sin(math.radians(FOVY_DEG / 2)) / rng.uniform(*FILL)
    camera.azimuth = 90.0 + rng.uniform(*TURN_DEG)
    camera.elevation = -rng.uniform(*ELEVATION_DEG)
    return camera


def _view(mujoco: Any, renderer: Any, data: Any, camera: Any, model: Model3D) -> View:  # noqa: ANN401
    colour = _rendered(mujoco, renderer, data, camera)
    renderer.enable_depth_rendering()
    depth = _rendered(mujoco, renderer, data, camera)
    renderer.disable_depth_rendering()
    # What is no further than the model's far side is the model; all else is the far plane.
    is_model = depth < camera.distance + 2 * _radius_m(model)
    depth_m = np.where(is_model, depth, 0).astype(np.float32)
    return View(colour, depth_m, SIDE_PX / 2 / math.tan(math.radians(FOVY_DEG / 2)))


def _radius_m(model: Model3D) -> float:
    return float(np.linalg.norm(model.size_m)) / 2


def _rendered(mujoco: Any, renderer: Any, data: Any, camera: Any) -> NDArray[Any]:  # noqa: ANN401
    renderer.update_scene(data, camera)
    # Downloaded meshes have faces of either winding; culling would punch holes.
    renderer.scene.flags[mujoco.mjtRndFlag.mjRND_CULL_FACE] = 0
    return np.array(renderer.render())
