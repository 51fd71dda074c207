# SPDX-License-Identifier: Apache-2.0
"""`sensebind calibrate`: found by the entry-point group `sensebind.commands`."""

import typer

from sensebind_calibration.commands.allan import allan
from sensebind_calibration.commands.clock import clock
from sensebind_calibration.commands.depth import depth
from sensebind_calibration.commands.imu import imu
from sensebind_calibration.commands.microphone import microphone
from sensebind_calibration.commands.scores import scores
from sensebind_calibration.commands.show import show
from sensebind_calibration.commands.thermal import thermal

app = typer.Typer(help="Measure sensors, once, for every later run.", add_completion=False)
app.command()(allan)
app.command()(imu)
app.command()(microphone)
app.command()(depth)
app.command()(thermal)
app.command()(clock)
app.command()(scores)
app.command()(show)
