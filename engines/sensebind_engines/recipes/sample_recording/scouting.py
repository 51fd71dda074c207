# SPDX-License-Identifier: Apache-2.0
"""Which models the image tower can name: measured in an empty studio, apart from the recording.

The candidates are the models that depth and thermal encoders are tested with. The recording shows
only models chosen here, from other distances and angles and in another room, so the choice does not
use the pictures on which the demonstration is judged, and nothing of what is trained.
"""

from __future__ import annotations

import json
import math
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sensebind_engines.recipes.sample_recording.models3d import (
    Model3D,
    load_model,
    model_assets,
    model_body,
)

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Mapping, Sequence
    from pathlib import Path

STUDIO_TURNS_DEG = (-50, -35, -20, 20, 35, 50)
STUDIO_FILL = (0.6, 0.85)
"""Turns of the model, and the share of the picture's height or width that it takes."""

REQUIRED_SHARE = 0.9
"""A model is eligible when at least this share of its studio views is named rightly."""

MIN_HEIGHT_M = 0.4
"""The robot's mast camera looks over anything lower."""

CHOSEN = 6
"""The recording shows so many classes, each by its best eligible model: those of largest margin."""

REPORT = "scouting.json"

_WIDTH_PX, _HEIGHT_PX, _FOVY_DEG = 320, 240, 48.0
_CAMERA_M = 0.6
FloatArray = NDArray[np.float32]

_STUDIO = """<mujoco><compiler angle="degree"/>
<visual><quality shadowsize="1024" offsamples="4"/><map znear=".02" zfar="30"/>
<headlight ambient=".4 .4 .4" diffuse=".25 .25 .25" specular="0 0 0"/>
<global offwidth="320" offheight="240" fovy="{fovy}"/></visual><statistic extent="1"/>
<asset>{assets}</asset><worldbody>
<light pos="-1 -3 3" dir=".3 .8 -1" type="directional" diffuse=".4 .4 .4"/>
<geom type="plane" size="9 9 .1" rgba=".6 .58 .55 1"/>
<geom type="box" pos="0 3 2" size="9 .05 2" rgba=".7 .72 .75 1"/>{body}
</worldbody></mujoco>"""


class Score(NamedTuple):
    """How a model fared.

    Attributes:
        label: its class.
        library: which it is from.
        model: its key there.
        height_m: its height.
        views: number of studio views.
        share: share of them whose nearest prompt is the class's.
        margin: mean of the similarity to the class less that to the best other class.
    """

    label: str
    library: str
    model: str
    height_m: float
    views: int
    share: float
    margin: float

    @property
    def is_eligible(self) -> bool:
        """True when the rule lets the recording show this model."""
        return self.share >= REQUIRED_SHARE and self.height_m >= MIN_HEIGHT_M


def choose(scores: Sequence[Score]) -> tuple[Score, ...]:
    """The models that the recording shows, best margin first."""
    best: dict[str, Score] = {}
    for score in sorted(scores, key=lambda score: -score.margin):
        if score.is_eligible:
            best.setdefault(score.label, score)
    return tuple(best.values())[:CHOSEN]


def read_report() -> tuple[Score, ...]:
    """The scores as measured when the recording was designed."""
    text = resources.files(__package__).joinpath(REPORT).read_text(encoding="utf-8")
    return tuple(Score(**row) for row in json.loads(text))


def write_report(path: Path, scores: Sequence[Score]) -> None:
    """Store scores where `read_report` finds them."""
    rows = [score._asdict() for score in scores]
    path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def score_candidates(
    libraries: Mapping[str, zipfile.ZipFile], prompts: Mapping[str, Sequence[str]]
) -> tuple[Score, ...]:
    """Score every test model in the studio, best margin first; needs the `recipes` extra.

    Models whose files are damaged are left out.
    """
    from sensebind_engines.recipes.object_renders.dataset import named_models, split_models

    models = named_models(libraries)
    splits = split_models(models)
    embed = ImageNamer(prompts)
    scores = []
    for named in models:
        if splits[named.group] != "test":
            continue
        try:
            model = load_model(libraries[named.library], named.key)
            margins = embed.margins(studio_views(model), named.label)
        except (KeyError, ValueError, IndexError):
            continue
        scores.append(
            Score(
                named.label,
                named.library,
                named.key,
                round(model.size_m[2], 3),
                len(margins),
                round(float((margins > 0).mean()), 3),
                round(float(margins.mean()), 3),
            )
        )
    return tuple(sorted(scores, key=lambda score: -score.margin))


class ImageNamer:
    """The demo bundle's image and text anchor in torch, before any storage in FP16 or INT8.

    Args:
        prompts: class to its texts; a class's prototype is the mean of their embeddings.
    """

    def __init__(self, prompts: Mapping[str, Sequence[str]]) -> None:
        from sensebind_engines.models.conse import ConseTower, embed_class_names
        from sensebind_engines.models.efficientnet_lite import (
            imagenet_names,
            load_efficientnet_lite0,
        )
        from sensebind_engines.models.minilm import embed_texts

        self.labels = list(prompts)
        means = np.stack([embed_texts(list(texts)).mean(axis=0) for texts in prompts.values()])
        self._prototypes = means / np.linalg.norm(means, axis=1, keepdims=True)
        names = embed_class_names(imagenet_names(), embed_texts)
        self._tower = ConseTower(load_efficientnet_lite0(), names)

    def similarities(self, images: NDArray[np.uint8]) -> FloatArray:
        """Cosine of each picture, uint8 [n, h, w, 3] RGB, to each class: float32 [n, classes]."""
        import torch

        from sensebind_engines.models.efficientnet_lite import normalise

        with torch.inference_mode():
            vectors = self._tower(torch.from_numpy(normalise(images))).numpy()
        return np.asarray(vectors @ self._prototypes.T, np.float32)

    def margins(self, images: NDArray[np.uint8], label: str) -> FloatArray:
        """Similarity to `label` less the best other class's, [n]; positive means named rightly."""
        similarity = self.similarities(images)
        index = self.labels.index(label)
        others = np.delete(similarity, index, axis=1)
        return np.asarray(similarity[:, index] - others.max(axis=1))


def studio_views(model: Model3D) -> NDArray[np.uint8]:
    """Render the model from every studio viewpoint: uint8 [views, 240, 320, 3]."""
    import mujoco

    assets, files = model_assets(model, "model")
    body = model_body(model, "model", (0.0, 0.0, 0.0), 0.0)
    xml = _STUDIO.format(fovy=_FOVY_DEG, assets=assets, body=body)
    physics = mujoco.MjModel.from_xml_string(xml, files)
    data = mujoco.MjData(physics)
    camera = mujoco.MjvCamera()
    views = []
    with mujoco.Renderer(physics, _HEIGHT_PX, _WIDTH_PX) as renderer:
        for yaw_deg in STUDIO_TURNS_DEG:
            half = math.radians(yaw_deg) / 2.0
            physics.body_quat[1] = [math.cos(half), 0.0, 0.0, math.sin(half)]
            mujoco.mj_forward(physics, data)
            for fill in STUDIO_FILL:
                _aim(camera, model, math.radians(yaw_deg), fill)
                renderer.update_scene(data, camera)
                renderer.scene.flags[mujoco.mjtRndFlag.mjRND_CULL_FACE] = 0
                views.append(renderer.render().copy())
    return np.stack(views)


def _aim(camera: object, model: Model3D, yaw_rad: float, fill: float) -> None:
    """Look north at the model's middle from where it fills the picture as asked."""
    width_m, depth_m, height_m = model.size_m
    across_m = abs(width_m * math.cos(yaw_rad)) + abs(depth_m * math.sin(yaw_rad))
    along_m = abs(width_m * math.sin(yaw_rad)) + abs(depth_m * math.cos(yaw_rad))
    half_m = max(height_m, across_m * _HEIGHT_PX / _WIDTH_PX) / 2.0
    distance_m = half_m / (math.tan(math.radians(_FOVY_DEG / 2.0)) * fill) + along_m / 2.0
    above_m = min(_CAMERA_M, 1.5 * height_m) - height_m / 2.0
    camera.lookat[:] = [0.0, 0.0, height_m / 2.0]  # type: ignore[attr-defined]
    camera.distance = math.hypot(distance_m, above_m)  # type: ignore[attr-defined]
    camera.azimuth = 90.0  # type: ignore[attr-defined]
    camera.elevation = -math.degrees(math.atan2(above_m, distance_m))  # type: ignore[attr-defined]
