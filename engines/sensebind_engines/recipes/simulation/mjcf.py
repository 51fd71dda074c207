# SPDX-License-Identifier: Apache-2.0
"""The robot's MJCF: what is randomised (`RobotSpec`), what a caller may add (`Scene`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from sensebind_engines.recipes.simulation.floors import CELL_M, Floor
from sensebind_engines.recipes.simulation.ground import ROLLING_PARTS

if TYPE_CHECKING:
    from collections.abc import Mapping

PHYSICS_HZ = 2000
TIMESTEP_S = 1.0 / PHYSICS_HZ
GRAVITY_M_S2 = 9.81

# Collision bits: a rolling part meets objects (bit 0) and its own piece of ground, nothing else.
_PAD_BIT = {"left": 2, "right": 4, "caster": 8}

# Order of `data.sensordata`, one row per physics step; `log.SimLog` names the columns.
_SENSORS = """
 <accelerometer name="accelerometer" site="imu"/> <gyro name="gyro" site="imu"/>
 <touch name="touch_chassis" site="feel_chassis"/> <touch name="touch_left" site="feel_left"/>
 <touch name="touch_right" site="feel_right"/> <touch name="touch_caster" site="feel_caster"/>
 <jointvel name="wheel_left" joint="axle_left"/> <jointvel name="wheel_right" joint="axle_right"/>
 <framepos name="position" objtype="xbody" objname="base"/>
 <framelinvel name="velocity" objtype="xbody" objname="base"/>
 <framezaxis name="up" objtype="xbody" objname="base"/>
"""


@dataclass(frozen=True)
class RobotSpec:
    """Dimensions and dynamics of the robot; the defaults are the middle of the training range.

    Attributes:
        mass_kg: nominal mass (chassis 80 %, wheels and caster the rest).
        half_length_m, half_width_m, half_height_m: chassis box.
        wheel_radius_m: radius of the two driven wheels.
        wheel_gap_m: from the chassis side to the wheel's middle plane.
        friction: sliding friction of the tyres on the floor.
        motor_gain: velocity servo gain, N m s/rad.
        suspension_n_m: stiffness of each wheel's vertical slide, N/m.
        imbalance_kg: off-centre mass on each wheel's rim.
        imu_m: IMU position in the body frame.
    """

    mass_kg: float = 7.0
    half_length_m: float = 0.20
    half_width_m: float = 0.14
    half_height_m: float = 0.06
    wheel_radius_m: float = 0.075
    wheel_gap_m: float = 0.025
    friction: float = 0.9
    motor_gain: float = 3.0
    suspension_n_m: float = 15e3
    imbalance_kg: float = 0.01
    imu_m: tuple[float, float, float] = (0.0, 0.0, 0.02)

    @property
    def chassis_height_m(self) -> float:
        """Height of the chassis centre above flat ground."""
        return self.wheel_radius_m + 0.6 * self.half_height_m


@dataclass(frozen=True)
class Scene:
    """What a caller adds to the world.

    Attributes:
        assets: MJCF for `<asset>` (textures, materials, meshes, `<hfield>`).
        bodies: MJCF for `<worldbody>` (geoms, bodies, lights, fixed cameras).
        onboard: MJCF inside the robot's base body (cameras); the body frame is FLU.
        visual: MJCF for `<visual>`; the default keeps shadows off (the default map costs 55 ms
            per frame on a software renderer).
        floor_material: name of a material for the floor, '' for plain grey.
        files: name to bytes of the meshes and textures that `assets` refers to.
    """

    assets: str = ""
    bodies: str = ""
    onboard: str = ""
    visual: str = '<quality shadowsize="0" offsamples="0"/>'
    floor_material: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)


def robot_mjcf(spec: RobotSpec, floor: Floor, scene: Scene) -> str:
    """The whole world as MJCF text."""
    return f"""<mujoco model="sensebind">
<option timestep="{TIMESTEP_S}" integrator="implicitfast" cone="elliptic"/>
<compiler angle="degree"/>
<visual>{scene.visual}</visual><statistic extent="1" center="0 0 0"/>
<asset>{_floor_asset_xml(floor)}{scene.assets}</asset>
<worldbody>
 {_floor_xml(spec, floor, scene.floor_material)}
 {scene.bodies}
 {_base_xml(spec, scene.onboard)}
</worldbody>
<actuator>{_motor_xml(spec, "left")}{_motor_xml(spec, "right")}</actuator>
<sensor>{_SENSORS}</sensor>
</mujoco>"""


def _floor_asset_xml(floor: Floor) -> str:
    """The height field one sees; nothing collides with it (`ground`)."""
    if floor.heights_m is None:
        return ""
    rows, columns = floor.heights_m.shape
    half_x_m, half_y_m = (columns - 1) / 2 * CELL_M, (rows - 1) / 2 * CELL_M
    height_m = max(float(np.ptp(floor.heights_m)), 1e-6)  # MuJoCo refuses a range of 0
    return (
        f'<hfield name="relief" nrow="{rows}" ncol="{columns}" '
        f'size="{half_x_m} {half_y_m} {height_m} .05"/>'
    )


def _floor_xml(spec: RobotSpec, floor: Floor, material: str) -> str:
    """A plane for chassis and objects, a plane per rolling part, and the visible relief."""
    paint = f'material="{material}"' if material else 'rgba=".5 .5 .5 1"'
    rub = f'friction="{spec.friction} .005 .0001"'
    plane = f'<geom name="floor" type="plane" size="30 30 .1" {paint} {rub}'
    lines = [f'{plane} contype="0" conaffinity="1"/>']
    lines += [
        f'<body name="ground_{part}" mocap="true"><geom type="plane" size="1 1 .1" '
        f'rgba="0 0 0 0" {rub} contype="{_PAD_BIT[part]}" conaffinity="0"/></body>'
        for part in ROLLING_PARTS
    ]
    if floor.heights_m is not None:
        x_m, y_m = floor.centre_m
        lines.append(
            f'<geom name="relief" type="hfield" hfield="relief" {paint} contype="0" '
            f'conaffinity="0" pos="{x_m} {y_m} {float(floor.heights_m.min()) + 1e-3}"/>'
        )
    return "\n ".join(lines)


def _base_xml(spec: RobotSpec, onboard: str) -> str:
    """Chassis, caster, IMU and wheels.

    The caster has its own body, so the chassis's touch sensor does not count it, and `priority`
    makes its low friction hold (MuJoCo otherwise takes the larger of the two geoms'). The soft
    contact of both keeps the solver from chattering at 100-200 Hz, as a caster would that rolls and
    a chassis that lies on its back and both wheels: an IMU model would learn it.
    """
    centre_m = spec.chassis_height_m
    caster_m = 0.4 * spec.wheel_radius_m
    size = f"{spec.half_length_m} {spec.half_width_m} {spec.half_height_m}"
    imu = " ".join(str(value) for value in spec.imu_m)
    return f"""<body name="base" pos="0 0 {centre_m + 0.005}"><freejoint name="base"/>
 <geom name="chassis" type="box" size="{size}" mass="{0.8 * spec.mass_kg}"
  rgba=".2 .45 .7 1" friction=".5 .005 .0001" solref=".004 1" solimp=".5 .95 .003"/>
 <site name="feel_chassis" type="sphere" size="1" rgba="0 0 0 0"/><site name="imu" pos="{imu}"/>
 <body name="caster">
  <geom name="roll_caster" type="sphere" size="{caster_m}" mass="{0.03 * spec.mass_kg}"
   contype="0" conaffinity="{1 + _PAD_BIT["caster"]}"
   pos="{-0.8 * spec.half_length_m} 0 {caster_m - centre_m}" rgba=".3 .3 .3 1"
   friction=".04 .001 .0001" priority="1" solref=".02 1" solimp=".5 .95 .003"/>
  <site name="feel_caster" type="sphere" size="1" rgba="0 0 0 0"/>
 </body>
 {_wheel_xml(spec, "left", 1)}{_wheel_xml(spec, "right", -1)}{onboard}
</body>"""


def _wheel_xml(spec: RobotSpec, side: str, sign: int) -> str:
    """A wheel on a vertical spring, with an off-centre mass on its rim."""
    radius_m = spec.wheel_radius_m
    y_m = sign * (spec.half_width_m + spec.wheel_gap_m)
    damping = 40.0 + spec.suspension_n_m / 300.0
    return f"""<body name="wheel_{side}" pos="{0.35 * spec.half_length_m} {y_m}
  {radius_m - spec.chassis_height_m}">
 <joint type="slide" axis="0 0 1" stiffness="{spec.suspension_n_m}" damping="{damping}"
  range="-.02 .02"/>
 <joint name="axle_{side}" type="hinge" axis="0 1 0" damping=".02"/>
 <geom name="roll_{side}" type="ellipsoid" size="{radius_m} {radius_m} .03" euler="90 0 0"
  contype="0" conaffinity="{1 + _PAD_BIT[side]}"
  mass="{0.06 * spec.mass_kg}" rgba=".1 .1 .1 1" friction="{spec.friction} .005 .0001"
  solref=".008 1"/>
 <geom type="sphere" size=".01" pos="{0.7 * radius_m} 0 0" mass="{spec.imbalance_kg}"
  contype="0" conaffinity="0"/>
 <site name="feel_{side}" type="sphere" size=".3" rgba="0 0 0 0"/>
</body>"""


def _motor_xml(spec: RobotSpec, side: str) -> str:
    return f'<velocity joint="axle_{side}" kv="{spec.motor_gain}" forcerange="-9 9"/>'
