# SPDX-License-Identifier: Apache-2.0
"""Models: parsed, turned Z-up, scaled, split by material, and readable by MuJoCo."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sensebind.errors import SourceError
from sensebind_engines.recipes.sample_recording.models3d import (
    load_model,
    model_assets,
    model_body,
)
from tests.engines.recipes.sample_recording.fakes import model_library

SIZE_CM = (40, 20, 80)


def test_model_stands_on_the_ground_in_its_real_size() -> None:
    model = load_model(model_library(("cube",), SIZE_CM), "cube")
    points = np.concatenate([part.vertices for part in model.parts])
    np.testing.assert_allclose(points.min(axis=0), [-0.2, -0.1, 0.0], atol=1e-12)
    np.testing.assert_allclose(points.max(axis=0), [0.2, 0.1, 0.8], atol=1e-12)
    assert model.size_m == (0.4, 0.2, 0.8)
    assert model.creator == "Ada"


def test_parts_by_material() -> None:
    painted, plain = load_model(model_library(("cube",), SIZE_CM), "cube").parts
    assert painted.faces.shape == (2, 3)
    assert plain.faces.shape == (10, 3)
    assert painted.material.rgba == (1.0, 1.0, 1.0, 1.0)  # the texture alone counts
    assert painted.material.texture is not None
    assert painted.texcoords is not None
    assert plain.material.rgba == (0.2, 0.4, 0.6, 1.0)
    assert plain.material.specular == pytest.approx(0.3)
    assert plain.texcoords is None


def test_front_faces_south() -> None:
    painted = load_model(model_library(("cube",), SIZE_CM), "cube").parts[0]
    assert painted.normals is not None
    np.testing.assert_allclose(painted.normals, [[0.0, -1.0, 0.0]] * 4, atol=1e-12)
    np.testing.assert_allclose(painted.vertices[:, 1], -0.1)


def test_negative_indices_count_from_the_end() -> None:
    plain = load_model(model_library(("cube",), SIZE_CM), "cube").parts[1]
    last = plain.vertices[plain.faces[-2:].ravel()]
    np.testing.assert_allclose(last[:, 0], 0.2)  # the east side


def test_unknown_model_lists_the_known_ones() -> None:
    with pytest.raises(SourceError, match=r"no model 'cone'.*\['cube'\]"):
        load_model(model_library(("cube",), SIZE_CM), "cone")


def test_mujoco_compiles_the_model_where_it_is_put() -> None:
    mujoco = pytest.importorskip("mujoco", reason="rendering needs the recipes extra")
    model = load_model(model_library(("cube",), SIZE_CM), "cube")
    assets, files = model_assets(model, "thing")
    body = model_body(model, "thing", (1.0, 2.0, 0.5), math.pi / 2)
    xml = f"<mujoco><asset>{assets}</asset><worldbody>{body}</worldbody></mujoco>"
    physics = mujoco.MjModel.from_xml_string(xml, files)
    data = mujoco.MjData(physics)
    mujoco.mj_forward(physics, data)
    corners = []
    for geom in range(physics.ngeom):
        mesh = physics.geom_dataid[geom]
        start, count = physics.mesh_vertadr[mesh], physics.mesh_vertnum[mesh]
        rotation = data.geom_xmat[geom].reshape(3, 3)
        corners.append(physics.mesh_vert[start : start + count] @ rotation.T + data.geom_xpos[geom])
    points = np.concatenate(corners)
    np.testing.assert_allclose(points.min(axis=0), [0.9, 1.8, 0.5], atol=1e-5)
    np.testing.assert_allclose(points.max(axis=0), [1.1, 2.2, 1.3], atol=1e-5)
    assert physics.ntex == 1
    assert (physics.geom_contype == 0).all()
