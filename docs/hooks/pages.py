# SPDX-License-Identifier: Apache-2.0
"""Pages of the site that are no files of docs/: the project's own, and what the code says.

MkDocs calls `on_files` (see mkdocs.yml). The pages exist only while the site is built, so none can
be out of date.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from docs.hooks import cli_reference, manifest_reference, python_reference
from sensebind.robot.keys import keys_text

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).resolve().parents[2]

FROM_PROJECT = {
    "README.md": "index.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "SECURITY.md": "SECURITY.md",
    "LICENSE": "LICENSE",
    "THIRD_PARTY.toml": "THIRD_PARTY.toml",
    "benchmarks/README.md": "benchmarks.md",
}
"""Files of the project to their places in the site."""

_LINK = re.compile(r"(\]\()([^)#\s]+)((?:#[^)\s]*)?\))")


def in_site(text: str) -> str:
    """A page of the project's top folder with its links as the site has the files."""
    return _LINK.sub(lambda found: found[1] + _place(found[2]) + found[3], text)


def _place(link: str) -> str:
    return FROM_PROJECT.get(link, link.removeprefix("docs/"))


def generated() -> dict[str, str]:
    """Text of every page that is made, by its place in the site."""
    texts = {
        place: in_site((ROOT / name).read_text(encoding="utf-8"))
        for name, place in FROM_PROJECT.items()
    }
    return texts | {
        "reference/cli.md": cli_reference.page(),
        "reference/configuration.md": _configuration(),
        "reference/manifest.md": manifest_reference.page(),
        "reference/python.md": python_reference.page(),
    }


def _configuration() -> str:
    return (
        "# Configuration\n\n"
        "One configuration is behind `robot.toml`, the options of the command line, the "
        "parameters of the ROS node and `sensebind.PipelineConfig`; the same names mean the same. "
        "How a file is written is told in [a robot's service](../robot.md), what the node calls "
        f"its parameters in [ROS 2](../ros.md).\n\n{keys_text().replace('### ', '## ')}"
    )


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages."""
    from mkdocs.structure.files import File  # the pages' texts can be had without MkDocs

    for place, text in generated().items():
        files.append(File.generated(config, place, content=text))
    return files
