# SPDX-License-Identifier: Apache-2.0
"""Colour, depth and thermal frames along a simulated run (software OpenGL), through one camera."""

from __future__ import annotations

import importlib
import math
import os
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import numpy as np

from sensebind_engines.recipes.sample_recording.depth import StereoModel, stereo_depth_mm
from sensebind_engines.recipes.sample_recording.scene import CAMERA, FOVY_DEG

if TYPE_CHECKING:
    import mujoco
    from numpy.typing import NDArray

COLOUR_PX = (240, 320)
DEPTH_PX = (120, 160)
"""Height, width; depth is measured in every other pixel."""
DEPTH_EVERY = 3
"""One depth and one thermal frame per this many poses."""
_STEP = COLOUR_PX[0] // DEPTH_PX[0]
STEREO = StereoModel(grazing_deg=82.0)
"""The training scenes' camera."""


class Frames(NamedTuple):
    """Rendered run.

    colour uint8 [n, 240, 320, 3] RGB at the logged poses; at every `DEPTH_EVERY`-th of them
    depth_mm uint16 [m, 120, 160] and thermal_ck uint16 [m, 60, 80], hundredths of a kelvin.
    """

    colour: NDArray[np.uint8]
    depth_mm: NDArray[np.uint16]
    thermal_ck: NDArray[np.uint16]


class HeatCamera(Protocol):
    """Makes a thermal frame of what is seen: see `thermal.HallTemperatures.frame`."""

    def __call__(
        self, surface: NDArray[np.int64], depth_m: NDArray[np.float32], rng: np.random.Generator, /
    ) -> NDArray[np.uint16]:
        """The frame."""


def focal_px(width_px: int) -> float:
    """Focal length of a picture of this width through the robot's camera."""
    height_px = width_px * COLOUR_PX[0] / COLOUR_PX[1]
    return height_px / 2.0 / math.tan(math.radians(FOVY_DEG / 2.0))


def use_headless_gl() -> None:
    """Choose MuJoCo's EGL renderer unless the user chose another; call before importing mujoco."""
    os.environ.setdefault("MUJOCO_GL", "egl")


def render_frames(
    model: mujoco.MjModel,
    poses: NDArray[np.float64],
    heat: HeatCamera,
    depth_rng: np.random.Generator,
    heat_rng: np.random.Generator,
) -> Frames:
    """Render every pose (rows of `qpos`) through the robot's camera."""
    colour = render_camera(model, poses, CAMERA, COLOUR_PX)
    some = poses[::DEPTH_EVERY]
    depth_m = _render(model, some, CAMERA, COLOUR_PX, "depth")
    surfaces = _render(model, some, CAMERA, COLOUR_PX, "segmentation")
    focal = focal_px(DEPTH_PX[1])
    measured = [
        stereo_depth_mm(image[_STEP // 2 :: _STEP, _STEP // 2 :: _STEP], focal, STEREO, depth_rng)
        for image in depth_m
    ]
    warm = [
        heat(surface[..., 0].astype(np.int64), image, heat_rng)
        for surface, image in zip(surfaces, depth_m, strict=True)
    ]
    return Frames(colour, np.stack(measured), np.stack(warm))


def render_camera(
    model: mujoco.MjModel, poses: NDArray[np.float64], camera: str, size_px: tuple[int, int]
) -> NDArray[np.uint8]:
    """Colour pictures, uint8 [n, height, width, 3] RGB, of a named camera at each pose."""
    return np.stack(_render(model, poses, camera, size_px, "colour"))


def _render(
    model: mujoco.MjModel,
    poses: NDArray[np.float64],
    camera: str,
    size_px: tuple[int, int],
    kind: Literal["colour", "depth", "segmentation"],
) -> list[NDArray[Any]]:
    mujoco = importlib.import_module("mujoco")
    data = mujoco.MjData(model)
    images = []
    with mujoco.Renderer(model, *size_px) as renderer:
        if kind == "depth":
            renderer.enable_depth_rendering()
        if kind == "segmentation":
            renderer.enable_segmentation_rendering()
        for pose in poses:
            data.qpos[:] = pose
            mujoco.mj_forward(model, data)
            renderer.update_scene(data, camera)
            # Downloaded meshes have faces of either winding; culling would punch holes.
            renderer.scene.flags[mujoco.mjtRndFlag.mjRND_CULL_FACE] = 0
            images.append(renderer.render().copy())
    return images
