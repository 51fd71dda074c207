# SPDX-License-Identifier: Apache-2.0
"""Colour and depth frames of the robot's camera along a simulated run (software OpenGL)."""

from __future__ import annotations

import importlib
import math
import os
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sensebind_engines.recipes.sample_recording.depth import StereoModel, stereo_depth_mm
from sensebind_engines.recipes.sample_recording.scene import CAMERA, FOVY_DEG

if TYPE_CHECKING:
    import mujoco
    from numpy.typing import NDArray

COLOUR_PX = (240, 320)
DEPTH_PX = (120, 160)
"""Height, width."""
DEPTH_EVERY = 2
"""One depth frame per this many poses."""


class Frames(NamedTuple):
    """Rendered run.

    colour uint8 [n, 240, 320, 3] RGB at the logged poses; depth_mm uint16 [m, 120, 160] at every
    `DEPTH_EVERY`-th of them.
    """

    colour: NDArray[np.uint8]
    depth_mm: NDArray[np.uint16]


def use_headless_gl() -> None:
    """Choose MuJoCo's EGL renderer unless the user chose another; call before importing mujoco."""
    os.environ.setdefault("MUJOCO_GL", "egl")


def render_frames(
    model: mujoco.MjModel,
    poses: NDArray[np.float64],
    stereo: StereoModel,
    rng: np.random.Generator,
) -> Frames:
    """Render every pose (rows of `qpos`) through the robot's camera."""
    colour = render_camera(model, poses, CAMERA, COLOUR_PX)
    focal_px = DEPTH_PX[0] / 2.0 / math.tan(math.radians(FOVY_DEG / 2.0))
    depth = [
        stereo_depth_mm(image, focal_px, stereo, rng)
        for image in _render(model, poses[::DEPTH_EVERY], CAMERA, DEPTH_PX, is_depth=True)
    ]
    return Frames(colour, np.stack(depth))


def render_camera(
    model: mujoco.MjModel, poses: NDArray[np.float64], camera: str, size_px: tuple[int, int]
) -> NDArray[np.uint8]:
    """Colour pictures, uint8 [n, height, width, 3] RGB, of a named camera at each pose."""
    return np.stack(_render(model, poses, camera, size_px, is_depth=False))


def _render(
    model: mujoco.MjModel,
    poses: NDArray[np.float64],
    camera: str,
    size_px: tuple[int, int],
    *,
    is_depth: bool,
) -> list[NDArray[Any]]:
    mujoco = importlib.import_module("mujoco")
    data = mujoco.MjData(model)
    images = []
    with mujoco.Renderer(model, *size_px) as renderer:
        if is_depth:
            renderer.enable_depth_rendering()
        for pose in poses:
            data.qpos[:] = pose
            mujoco.mj_forward(model, data)
            renderer.update_scene(data, camera)
            # Downloaded meshes have faces of either winding; culling would punch holes.
            renderer.scene.flags[mujoco.mjtRndFlag.mjRND_CULL_FACE] = 0
            images.append(renderer.render().copy())
    return images
