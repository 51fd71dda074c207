# SPDX-License-Identifier: Apache-2.0
"""Changes to windows and features that a sensor in another place, or another sensor, would make."""

from __future__ import annotations

from sensebind_engines.data.augment.apply import augment_features as augment_features
from sensebind_engines.data.augment.apply import augment_window as augment_window
from sensebind_engines.data.augment.apply import changes_window as changes_window
from sensebind_engines.data.augment.config import Augmentation as Augmentation

__all__ = ["Augmentation", "augment_features", "augment_window", "changes_window"]
