# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests with real processes over real DDS; without rclpy none is collected."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from tests.support.bundles import bundle_copy, bundle_folder
from tests.support.ros import Examiner, environment, own_domain

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["bundle_copy", "bundle_folder"]

collect_ignore_glob = [] if find_spec("rclpy") else ["*"]


@pytest.fixture(scope="session", autouse=True)
def _domain() -> Iterator[None]:
    """A domain of this process's own, for it and all that it starts."""
    with own_domain() as domain, pytest.MonkeyPatch.context() as patch:
        for name, value in environment(domain).items():
            patch.setenv(name, value)
        patch.delenv("RMW_IMPLEMENTATION", raising=False)
        assert os.environ["ROS_DOMAIN_ID"] == str(domain)
        yield


@pytest.fixture
def examiner(_domain: None) -> Iterator[Examiner]:
    """A node of the test's own."""
    examiner = Examiner()
    yield examiner
    examiner.close()
