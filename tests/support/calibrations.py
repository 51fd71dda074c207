# SPDX-License-Identifier: Apache-2.0
"""Calibration files as tests want them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sensebind.toml_text import toml_text

if TYPE_CHECKING:
    from pathlib import Path

IDENTITY = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]


def provenance(**values: object) -> dict[str, object]:
    """Where numbers came from: nothing in particular, at 100 Hz."""
    return {
        "recording": "a test",
        "sha256": "",
        "date": "2026-01-01T00:00:00+00:00",
        "version": "1",
        "rate_hz": 100.0,
        **values,
    }


def write_calibration(folder: Path, **kinds: dict[str, dict[str, Any]]) -> Path:
    """A file with these sections, by kind and stream; those without a provenance get one."""
    sections = {
        kind: {stream: {"provenance": provenance(), **table} for stream, table in streams.items()}
        for kind, streams in kinds.items()
    }
    path = folder / "calibration.toml"
    path.write_text(toml_text({"format": 1, **sections}), encoding="utf-8")
    return path
