# SPDX-License-Identifier: Apache-2.0
"""The site: every page is in its navigation, and the reference pages hold what the code has."""

from __future__ import annotations

import re

import pytest

import sensebind
from docs.hooks.pages import FROM_PROJECT, ROOT, generated, in_site
from sensebind.cli import external, whole_application
from sensebind.config import StreamConfig
from sensebind.describing import LabelSettings
from sensebind.manifest import Manifest
from sensebind.specs import SPEC_OF_MODALITY, Strict


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return generated()


def test_every_page_is_in_the_navigation(pages: dict[str, str]) -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = re.findall(r"^ +- .+: (\S+\.md)$", text, re.MULTILINE)
    written = {path.name for path in (ROOT / "docs").glob("*.md")}
    made = {place for place in pages if place.endswith(".md")}
    assert sorted(listed) == sorted(written | made)


def test_links_of_the_projects_pages_lead_into_the_site() -> None:
    text = (
        "[a](docs/time.md#windows) [b](LICENSE) [c](README.md) [d](#here) ![e](docs/images/x.png)"
    )
    assert in_site(text) == (
        "[a](time.md#windows) [b](LICENSE) [c](index.md) [d](#here) ![e](images/x.png)"
    )
    assert all((ROOT / name).exists() for name in FROM_PROJECT)


def test_every_command_is_told(pages: dict[str, str]) -> None:
    told = set(re.findall(r"^#+ `(sensebind[^`]*)`$", pages["reference/cli.md"], re.MULTILINE))
    commands = {str(each.callback.__name__) for each in whole_application({}).registered_commands
                if each.callback is not None}  # fmt: skip
    assert {f"sensebind {name}" for name in {*commands, *external.commands()}} <= told
    assert {"sensebind bundle show", "sensebind engine build", "sensebind calibrate imu"} <= told


def test_every_setting_has_a_row(pages: dict[str, str]) -> None:
    rows = set(re.findall(r"^\| `(\w+)` \|", pages["reference/configuration.md"], re.MULTILINE))
    assert {*StreamConfig.__struct_fields__, *LabelSettings.__struct_fields__, "bundle"} <= rows


@pytest.mark.parametrize("spec", [Manifest, *SPEC_OF_MODALITY.values()])
def test_every_field_of_a_manifest_has_a_row(pages: dict[str, str], spec: type[Strict]) -> None:
    text = pages["reference/manifest.md"]
    section = text.partition(f"\n## {spec.__name__}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| .+ \| .* \| (.*) \|$", section, re.MULTILINE)
    assert {name for name, _ in rows} - {"type"} == set(spec.__struct_fields__)
    assert not [name for name, meaning in rows if name != "type" and not meaning]


def test_every_name_of_the_package_is_told(pages: dict[str, str]) -> None:
    for name in sensebind.__all__:
        assert f".{name}\n" in pages["reference/python.md"]
