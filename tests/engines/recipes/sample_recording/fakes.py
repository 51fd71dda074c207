# SPDX-License-Identifier: Apache-2.0
"""A tiny model library and package of the same layout as the real ones, made in memory."""

from __future__ import annotations

import io
import tarfile
import zipfile

import numpy as np
from PIL import Image

from sensebind_engines.recipes.sample_recording.library import member_of

# A unit cube, Y-up, facing +z; two materials, one with a texture; one face counts backwards.
CUBE_OBJ = """mtllib cube.mtl
v 0 0 0
v 1 0 0
v 1 1 0
v 0 1 0
v 0 0 1
v 1 0 1
v 1 1 1
v 0 1 1
vt 0 0
vt 1 0
vt 1 1
vt 0 1
vn 0 0 1
usemtl painted
f 5/1/1 6/2/1 7/3/1 8/4/1
usemtl plain
f 1 4 3 2
f 1 2 6 5
f 4 8 7 3
f 1 5 8 4
f -7 -6 -2 -3
"""
CUBE_MTL = """newmtl painted
Kd 0 0 0
map_Kd paint.png
newmtl plain
Kd 0.2 0.4 0.6
Ks 0.3 0.3 0.3
"""


def model_library(keys: tuple[str, ...], size_cm: tuple[int, int, int]) -> zipfile.ZipFile:
    """A library in which every key is a cube of the given width, depth and height."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as library:
        lines = []
        for index, key in enumerate(keys, 1):
            lines += [f"model#{index}=/m/{key}/{key}.obj", f"creator#{index}=Ada"]
            lines += [
                f"{name}#{index}={value}"
                for name, value in zip(("width", "depth", "height"), size_cm, strict=True)
            ]
            library.writestr(f"m/{key}/{key}.obj", CUBE_OBJ)
            library.writestr(f"m/{key}/cube.mtl", CUBE_MTL)
            library.writestr(f"m/{key}/paint.png", _paint())
        library.writestr("PluginFurnitureCatalog.properties", "\n".join(lines))
    return zipfile.ZipFile(buffer)


def package(member: str = member_of(), content: bytes = b"") -> bytes:
    """A Debian package (an ar archive) whose data.tar.xz holds one file."""
    tar_bytes = io.BytesIO()
    with tarfile.open(fileobj=tar_bytes, mode="w:xz") as tar:
        info = tarfile.TarInfo(member)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    members = (("debian-binary", b"2.0"), ("data.tar.xz", tar_bytes.getvalue()))
    return b"!<arch>\n" + b"".join(_ar_member(name, data) for name, data in members)


def _ar_member(name: str, data: bytes) -> bytes:
    header = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode("ascii")
    return header + data + b"\n" * (len(data) % 2)


def _paint() -> bytes:
    buffer = io.BytesIO()
    pixels = np.zeros((4, 4, 3), np.uint8)
    pixels[:2] = (255, 0, 0)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
