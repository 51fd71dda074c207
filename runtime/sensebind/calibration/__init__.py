# SPDX-License-Identifier: Apache-2.0
"""What is known of a robot's sensors, read from a calibration file and applied to their streams."""

from sensebind.calibration.applied import UNCALIBRATED as UNCALIBRATED
from sensebind.calibration.applied import Calibration as Calibration
from sensebind.calibration.applied import StreamCalibration as StreamCalibration
from sensebind.calibration.correction import Correction as Correction

__all__ = ["UNCALIBRATED", "Calibration", "Correction", "StreamCalibration"]
