# SPDX-License-Identifier: Apache-2.0
"""`sensebind run --check`: what can be known of a configuration without its devices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sensebind import cli

if TYPE_CHECKING:
    from pathlib import Path

DEVICE = '[devices.imu]\nkind = "imu_udp"\nport = 9000\n'


def check(folder: Path, text: str) -> int:
    (folder / "robot.toml").write_text(text, encoding="utf-8")
    return cli.run(["run", str(folder / "robot.toml"), "--check"])


def test_a_valid_file_is_summed_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    streams = '[streams."/imu/data"]\nmodality = "imu"\n'
    assert check(tmp_path, f'bundle = "demo"\n{DEVICE}{streams}') == 0
    said = "robot.toml is valid: bundle demo, 1 device (imu), 1 stream (/imu/data)\n"
    assert capsys.readouterr().out.endswith(said)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no device is configured; add one, for example [devices.mic]"),
        (f'bundle = "none"\n{DEVICE}', "no bundle 'none': there is no such folder"),
        (f'calibration = "c.toml"\n{DEVICE}', "c.toml cannot be read (No such file or directory)"),
        (f'{DEVICE}[output]\nfile = "no/o.parquet"\n', "create it first: mkdir -p"),
    ],
)
def test_what_a_run_would_refuse_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    assert check(tmp_path, text) == 2
    assert message in capsys.readouterr().err
