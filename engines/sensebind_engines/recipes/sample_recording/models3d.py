# SPDX-License-Identifier: Apache-2.0
"""Wavefront OBJ models as textured MuJoCo visual meshes.

MuJoCo gives a mesh one material, so a model is split by material into parts. Models arrive
Y-up in arbitrary units, facing +z; they leave Z-up in metres, facing -y, standing on z = 0,
centred in x and y, scaled to the catalogue's real size.
"""

from __future__ import annotations

import io
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from sensebind.errors import SourceError

if TYPE_CHECKING:
    import zipfile

    from numpy.typing import NDArray

CATALOG = "PluginFurnitureCatalog.properties"
_MAX_TEXTURE_PX = 512  # the camera sees at most 320 pixels of a model
_SHININESS = 0.3
_DEFAULT_RGB = (0.7, 0.7, 0.7)


@dataclass(frozen=True)
class Material:
    """Look of one part: linear colour 0..1, specular strength 0..1, optional uint8 [h, w, 3]."""

    rgba: tuple[float, float, float, float]
    specular: float
    texture: NDArray[np.uint8] | None


@dataclass(frozen=True)
class Part:
    """Triangles of one material.

    vertices float64 [n, 3] in metres, normals float64 [n, 3] or None, texcoords float64 [n, 2]
    or None, faces int32 [m, 3].
    """

    material: Material
    vertices: NDArray[np.float64]
    normals: NDArray[np.float64] | None
    texcoords: NDArray[np.float64] | None
    faces: NDArray[np.int32]


@dataclass(frozen=True)
class Model3D:
    """A named model: its parts and its size (x, y, z) in metres."""

    key: str
    creator: str
    parts: tuple[Part, ...]
    size_m: tuple[float, float, float]


def read_catalog(library: zipfile.ZipFile) -> dict[str, dict[str, str]]:
    """Return the catalogue's fields by model key (the folder name of the model)."""
    text = library.read(CATALOG).decode("latin-1")
    entries: dict[str, dict[str, str]] = {}
    for field, index, value in re.findall(r"^(\w+)#(\d+)=(.*)$", text, re.MULTILINE):
        entries.setdefault(index, {})[field] = value.strip()
    return {entry["model"].split("/")[-2]: entry for entry in entries.values()}


def load_model(library: zipfile.ZipFile, key: str) -> Model3D:
    """Read model `key` of the library; raises `SourceError` when the catalogue lacks it."""
    catalog = read_catalog(library)
    if key not in catalog:
        raise SourceError(f"no model {key!r} in the library; expected one of {sorted(catalog)}")
    entry = catalog[key]
    path = entry["model"].lstrip("/")
    folder = path.rsplit("/", 1)[0]
    obj = _parse_obj(library.read(path).decode("latin-1"))
    materials: dict[str, Material] = {}
    for mtl in obj.material_files:
        materials |= _parse_mtl(library, folder, library.read(f"{folder}/{mtl}").decode("latin-1"))
    size = tuple(float(entry[axis]) / 100.0 for axis in ("width", "depth", "height"))
    parts = _place(obj, materials, np.array(size))
    return Model3D(key, entry["creator"], parts, (size[0], size[1], size[2]))


@dataclass(frozen=True)
class _Obj:
    """Parsed file: raw arrays and, per material, corner indices [m, 3 corners, v/vt/vn]."""

    vertices: NDArray[np.float64]
    texcoords: NDArray[np.float64]
    normals: NDArray[np.float64]
    corners: dict[str, NDArray[np.int64]]
    material_files: tuple[str, ...]


def _parse_obj(text: str) -> _Obj:
    columns: dict[str, list[list[float]]] = {"v": [], "vt": [], "vn": []}
    corners: dict[str, list[list[tuple[int, int, int]]]] = {}
    material_files: list[str] = []
    material = ""
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        if word in columns:
            columns[word].append([float(value) for value in rest.split()[:3]])
        elif word == "f":
            counts = (len(columns["v"]), len(columns["vt"]), len(columns["vn"]))
            polygon = [_corner(corner, counts) for corner in rest.split()]
            fan = corners.setdefault(material, [])
            fan.extend([polygon[0], polygon[k], polygon[k + 1]] for k in range(1, len(polygon) - 1))
        elif word == "usemtl":
            material = rest.strip()
        elif word == "mtllib":
            material_files.append(rest.strip())
    return _Obj(
        np.array(columns["v"]),
        np.array([pair[:2] for pair in columns["vt"]]).reshape(-1, 2),
        np.array(columns["vn"]).reshape(-1, 3),
        {name: np.array(triangles) for name, triangles in corners.items()},
        tuple(material_files),
    )


def _corner(text: str, counts: tuple[int, int, int]) -> tuple[int, int, int]:
    """Zero-based v/vt/vn indices of a face corner; -1 where absent; negative ones are relative."""
    fields = [*text.split("/"), "", ""][:3]
    indices = []
    for field, count in zip(fields, counts, strict=True):
        index = int(field) if field else 0
        indices.append(index - 1 if index >= 0 else count + index)
    return indices[0], indices[1], indices[2]


def _parse_mtl(library: zipfile.ZipFile, folder: str, text: str) -> dict[str, Material]:
    fields: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    for line in text.splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "newmtl":
            current = fields.setdefault(rest.strip(), {})
        else:
            current[word] = rest.strip()
    return {name: _material(library, folder, values) for name, values in fields.items()}


def _material(library: zipfile.ZipFile, folder: str, values: dict[str, str]) -> Material:
    alpha = float(values.get("d", "1"))
    specular = float(np.mean([float(v) for v in values.get("Ks", "0").split()]))
    if "map_Kd" in values:  # the catalogue's own viewer ignores Kd under a texture
        texture = _read_texture(library.read(f"{folder}/{values['map_Kd']}"))
        return Material((1.0, 1.0, 1.0, alpha), specular, texture)
    rgb = [float(v) for v in values["Kd"].split()] if "Kd" in values else list(_DEFAULT_RGB)
    return Material((rgb[0], rgb[1], rgb[2], alpha), specular, None)


def _read_texture(data: bytes) -> NDArray[np.uint8]:
    image = Image.open(io.BytesIO(data)).convert("RGB")
    image.thumbnail((_MAX_TEXTURE_PX, _MAX_TEXTURE_PX))
    return np.asarray(image, dtype=np.uint8)


def _place(
    obj: _Obj, materials: dict[str, Material], size_m: NDArray[np.float64]
) -> tuple[Part, ...]:
    used = np.unique(np.concatenate([c[:, :, 0].ravel() for c in obj.corners.values()]))
    points = _z_up(obj.vertices)
    low, high = points[used].min(axis=0), points[used].max(axis=0)
    scale = size_m / np.maximum(high - low, 1e-9)
    origin = np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]])
    default = Material((*_DEFAULT_RGB, 1.0), 0.0, None)
    return tuple(
        _part(obj, corners, materials.get(name, default), (points - origin) * scale, scale)
        for name, corners in obj.corners.items()
    )


def _part(
    obj: _Obj,
    corners: NDArray[np.int64],
    material: Material,
    points: NDArray[np.float64],
    scale: NDArray[np.float64],
) -> Part:
    unique, inverse = np.unique(corners.reshape(-1, 3), axis=0, return_inverse=True)
    faces = inverse.reshape(-1, 3).astype(np.int32)
    texcoords = obj.texcoords[unique[:, 1]] if (unique[:, 1] >= 0).all() else None
    normals = None
    if (unique[:, 2] >= 0).all():
        normals = _z_up(obj.normals[unique[:, 2]]) / scale
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return Part(material, points[unique[:, 0]], normals, texcoords, faces)


def _z_up(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn Y-up coordinates into Z-up ones; what faced +z faces -y."""
    return np.stack([points[:, 0], -points[:, 2], points[:, 1]], axis=1)


def model_assets(model: Model3D, name: str) -> tuple[str, dict[str, bytes]]:
    """MJCF `<asset>` text of the model's meshes, materials and textures, and the files it names."""
    lines: list[str] = []
    files: dict[str, bytes] = {}
    for index, part in enumerate(model.parts):
        part_name = f"{name}_{index}"
        look = part.material
        texture = ""
        if look.texture is not None and part.texcoords is not None:
            files[f"{part_name}.png"] = _png(look.texture)
            lines.append(f'<texture name="{part_name}" type="2d" file="{part_name}.png"/>')
            texture = f'texture="{part_name}"'
        rgba = " ".join(f"{value:.4g}" for value in look.rgba)
        lines.append(
            f'<material name="{part_name}" rgba="{rgba}" specular="{look.specular:.3g}" '
            f'shininess="{_SHININESS}" {texture}/>'
        )
        files[f"{part_name}.obj"] = _obj_bytes(part)
        lines.append(f'<mesh name="{part_name}" file="{part_name}.obj" inertia="shell"/>')
    return "\n".join(lines), files


def model_body(
    model: Model3D, name: str, position_m: tuple[float, float, float], yaw_rad: float
) -> str:
    """MJCF `<body>` that shows the model, standing at `position_m`; nothing collides with it."""
    position = " ".join(f"{value:.6g}" for value in position_m)
    quaternion = f"{math.cos(yaw_rad / 2):.9g} 0 0 {math.sin(yaw_rad / 2):.9g}"
    geoms = "".join(
        f'<geom type="mesh" mesh="{name}_{index}" material="{name}_{index}" '
        'contype="0" conaffinity="0"/>'
        for index in range(len(model.parts))
    )
    return f'<body name="{name}" pos="{position}" quat="{quaternion}">{geoms}</body>'


def _png(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _obj_bytes(part: Part) -> bytes:
    """The part as a one-material OBJ file whose v, vt and vn share indices."""
    lines = [f"v {x:.6g} {y:.6g} {z:.6g}" for x, y, z in part.vertices]
    corner = "{0}"
    if part.texcoords is not None:
        lines += [f"vt {u:.6g} {v:.6g}" for u, v in part.texcoords]
        corner = "{0}/{0}"
    if part.normals is not None:
        lines += [f"vn {x:.5g} {y:.5g} {z:.5g}" for x, y, z in part.normals]
        corner = "{0}/{0}/{0}" if part.texcoords is not None else "{0}//{0}"
    for face in part.faces + 1:
        lines.append("f " + " ".join(corner.format(index) for index in face))
    return "\n".join(lines).encode()
