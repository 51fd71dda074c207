# SPDX-License-Identifier: Apache-2.0
"""Build of sensebind_ros, for colcon and pip."""

from setuptools import find_packages, setup

NAME = "sensebind_ros"

setup(
    name=NAME,
    version="0.1.0",
    description="SenseBind as a ROS 2 lifecycle node, with a player and a recorder",
    license="Apache-2.0",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={NAME: ["py.typed"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
    ],
    zip_safe=True,
    entry_points={
        "console_scripts": [
            "sensebind_node = sensebind_ros.node:main",
            "sensebind_player = sensebind_ros.player:main",
            "sensebind_recorder = sensebind_ros.recorder:main",
        ],
    },
)
