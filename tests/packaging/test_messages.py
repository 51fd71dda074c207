# SPDX-License-Identifier: Apache-2.0
"""The ROS 2 interfaces: one text, shipped twice, that every reader understands."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

if TYPE_CHECKING:
    from rosbags.typesys.store import Typestore

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "ros_nodes" / "sensebind_msgs"
PACKAGED = ROOT / "runtime" / "sensebind" / "_data" / "msgs"
MESSAGES = sorted(path.name for path in (PACKAGE / "msg").glob("*.msg"))
INTERFACES = sorted(
    str(path.relative_to(PACKAGE)) for kind in ("msg", "srv") for path in PACKAGE.glob(f"{kind}/*")
)


def test_packaged_copy_is_equal() -> None:
    assert sorted(path.name for path in PACKAGED.iterdir()) == MESSAGES
    for name in MESSAGES:
        assert (PACKAGED / name).read_bytes() == (PACKAGE / "msg" / name).read_bytes(), name


def test_cmake_builds_every_message_and_service() -> None:
    listed = re.findall(r'"(\w+/\w+\.(?:msg|srv))"', (PACKAGE / "CMakeLists.txt").read_text())
    assert listed == INTERFACES


def test_package_xml() -> None:
    package = ET.parse(PACKAGE / "package.xml").getroot()
    assert package.get("format") == "3"
    assert package.findtext("name") == "sensebind_msgs"
    assert package.findtext("license") == "Apache-2.0"
    assert package.findtext("member_of_group") == "rosidl_interface_packages"
    assert re.fullmatch(r"\d+\.\d+\.\d+", package.findtext("version") or "")
    maintainer = package.find("maintainer")
    assert maintainer is not None
    # catkin_pkg refuses an address without a dot after the @; colcon then builds nothing.
    assert re.fullmatch(r"[\w.+-]+@[\w-]+(\.[\w-]+)+", maintainer.get("email", ""))


@pytest.mark.parametrize("name", INTERFACES)
def test_every_field_is_described(name: str) -> None:
    text = (PACKAGE / name).read_text().replace("\n---\n", "\n\n")
    for block in text.split("\n\n"):
        lines = block.strip().splitlines()
        fields = [line for line in lines if not line.startswith("#")]
        assert lines[0].startswith("#"), f"{name}: no comment before {fields}"


@pytest.mark.parametrize("name", MESSAGES)
def test_definitions_survive_serialization(name: str) -> None:
    store = get_typestore(Stores.ROS2_HUMBLE)
    type_name = f"sensebind_msgs/msg/{name.removesuffix('.msg')}"
    store.register(get_types_from_msg((PACKAGED / name).read_text(), type_name))
    message = _example(store, type_name)
    raw = store.serialize_cdr(message, type_name)
    back = store.deserialize_cdr(raw, type_name)
    for field, _ in _fields(type_name):
        np.testing.assert_array_equal(getattr(back, field), getattr(message, field), field)


def _example(store: Typestore, type_name: str) -> object:
    """A message of `type_name` in which no two fields hold the same value."""
    stamp = store.types["builtin_interfaces/msg/Time"](sec=7, nanosec=9)
    values: dict[str, Any] = {}
    for number, (field, kind) in enumerate(_fields(type_name), 1):
        values[field] = {
            "std_msgs/Header": store.types["std_msgs/msg/Header"](stamp=stamp, frame_id="imu"),
            "string": f"text {number}",
            "string[]": [f"first {number}", f"second {number}"],
            "float32[]": np.array([number, 0.5], np.float32),
            "uint64[]": np.array([number, 2**40], np.uint64),
        }.get(kind, number)
    return store.types[type_name](**values)


def _fields(type_name: str) -> list[tuple[str, str]]:
    text = (PACKAGED / f"{type_name.rsplit('/', 1)[-1]}.msg").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(field, kind) for kind, field in (line.split() for line in lines)]
