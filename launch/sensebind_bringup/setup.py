# SPDX-License-Identifier: Apache-2.0
"""Build of sensebind_bringup, for colcon and pip."""

from pathlib import Path

from setuptools import find_packages, setup

NAME = "sensebind_bringup"


def files(folder: str, pattern: str) -> list[str]:
    """Files below the package, by names relative to it as setuptools wants them."""
    return sorted(str(path) for path in Path(folder).glob(pattern))


setup(
    name=NAME,
    version="0.1.0",
    description="Launch files, parameters and a supervisor for SenseBind's ROS 2 node",
    license="Apache-2.0",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={NAME: ["py.typed"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        (f"share/{NAME}/launch", files("launch", "*_launch.py")),
        (f"share/{NAME}/config", files("config", "*.*")),
        (f"share/{NAME}/config/streams", files("config/streams", "*.yaml")),
    ],
    zip_safe=False,
    entry_points={
        "console_scripts": ["sensebind_bringup = sensebind_bringup.supervisor:program"],
    },
)
