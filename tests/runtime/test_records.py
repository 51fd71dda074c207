# SPDX-License-Identifier: Apache-2.0
"""Run metadata in its key-value form."""

from __future__ import annotations

import json

import msgspec

from sensebind.records import METADATA_PREFIX, RunMetadata
from tests.support.records import run_metadata


def test_every_field_is_json_under_its_name() -> None:
    metadata = run_metadata(labels=("a", "b"))
    encoded = metadata.encode()
    assert set(encoded) == {METADATA_PREFIX + name for name in RunMetadata.__struct_fields__}
    fields = {key[len(METADATA_PREFIX) :]: json.loads(text) for key, text in encoded.items()}
    assert fields["labels"] == ["a", "b"]
    assert fields["calibration"] == ""
    assert msgspec.convert(fields, RunMetadata) == metadata
