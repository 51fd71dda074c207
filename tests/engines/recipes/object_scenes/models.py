# SPDX-License-Identifier: Apache-2.0
"""A library of chairs and tables, a window that hangs, and a lamp whose texture is missing."""

from __future__ import annotations

import io
import zipfile

from tests.engines.recipes.sample_recording.fakes import CUBE_MTL, CUBE_OBJ

NAMES = [*(f"Chair {n}" for n in range(4)), *(f"Table {n}" for n in range(4)), "Window", "Lamp"]


def library() -> zipfile.ZipFile:
    """Cubes by name; in memory."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as written:
        lines = []
        for index, name in enumerate(NAMES, 1):
            key = f"m{index}"
            lines += [f"model#{index}=/{key}/{key}.obj", f"creator#{index}=Ada"]
            lines += [f"name#{index}={name}", f"width#{index}={20 if index == 1 else 40}"]
            lines += [f"depth#{index}=30", f"height#{index}={20 if index == 1 else 90}"]
            if name == "Window":
                lines += [f"elevation#{index}=91", f"doorOrWindow#{index}=true"]
            written.writestr(f"{key}/{key}.obj", CUBE_OBJ)
            plain = CUBE_MTL.replace("map_Kd paint.png\n", "")
            written.writestr(f"{key}/cube.mtl", CUBE_MTL if name == "Lamp" else plain)
        written.writestr("PluginFurnitureCatalog.properties", "\n".join(lines))
    return zipfile.ZipFile(buffer)
