# SPDX-License-Identifier: Apache-2.0
"""The parameter files: every key is a parameter of the node, and every value one it takes."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from sensebind.errors import ConfigError
from sensebind_ros.settings import general_parameters, settings_from, stream_parameters

CONFIG = Path(__file__).resolve().parents[2] / "launch/sensebind_bringup/config"
OF_DRIVERS = {"realsense_driver.yaml", "microphone_driver.yaml"}
WHOLE = sorted(set(CONFIG.glob("*.yaml")) - {CONFIG / name for name in OF_DRIVERS})
STREAMS = sorted((CONFIG / "streams").glob("*.yaml"))


def parameters(path: Path) -> dict[str, Any]:
    """Parameters by their full names, as rcl reads them."""
    content = YAML(typ="safe").load(path.read_text())
    assert list(content) == ["/**"], "a file for nodes of any name"
    assert list(content["/**"]) == ["ros__parameters"]
    return flat(content["/**"]["ros__parameters"])


def flat(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in table.items():
        name = f"{prefix}{key}"
        found |= flat(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return found


def declared(streams: list[str]) -> set[str]:
    names = {each.name for each in general_parameters()}
    return names | {each.name for stream in streams for each in stream_parameters(stream)}


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.name)
def test_every_key_is_a_parameter_and_every_value_fits(path: Path) -> None:
    given = parameters(path)
    assert set(given) <= declared(given.get("streams", []))
    settings = settings_from(given)
    assert list(settings.topics) == given.get("streams", [])


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.name)
def test_a_streams_file_is_of_one_stream(path: Path) -> None:
    given = parameters(path)
    assert set(given) <= {each.name for each in stream_parameters(path.stem)}
    settings = settings_from({"streams": [path.stem], **given})
    assert settings.topics[path.stem].topic
    assert settings.pipeline.streams[path.stem].modality == given[f"{path.stem}.modality"]


def test_a_wrong_value_would_be_seen() -> None:
    with pytest.raises(ConfigError, match=r"imu\.hop_s is -1"):
        settings_from({"streams": ["imu"], "imu.hop_s": -1})


@pytest.mark.parametrize("name", sorted(OF_DRIVERS))
def test_parameters_of_drivers_are_not_ours(name: str) -> None:
    assert not set(parameters(CONFIG / name)) & declared([])


def test_the_profile_holds_a_depth_frame_in_one_piece() -> None:
    space = {"dds": "http://www.eprosima.com"}
    root = ET.parse(CONFIG / "fastdds.xml").getroot()
    transports = {
        each.findtext("dds:transport_id", "", space): each
        for each in root.iterfind(".//dds:transport_descriptor", space)
    }
    used = [each.text for each in root.iterfind(".//dds:userTransports/dds:transport_id", space)]
    assert set(used) == set(transports)
    [memory] = [t for t in transports.values() if t.findtext("dds:type", "", space) == "SHM"]
    frame_bytes = 640 * 480 * 2
    assert int(memory.findtext("dds:maxMessageSize", "", space)) > frame_bytes
    assert int(memory.findtext("dds:segment_size", "", space)) > 20 * frame_bytes
    assert root.findtext(".//dds:useBuiltinTransports", "", space) == "false"
