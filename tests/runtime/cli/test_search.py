# SPDX-License-Identifier: Apache-2.0
"""`sensebind search`: what it finds, and what it says when it cannot."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.runtime.test_vocabulary import add_vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.runtime.cli.conftest import Ran

    Run = Callable[..., Ran]


@pytest.fixture
def records(run: Run, bundle_folder: Path, recording: Path, tmp_path: Path) -> Path:
    """A folder with the records of a recording with an IMU and a camera."""
    folder = tmp_path / "records"
    folder.mkdir()
    out = folder / "drive.parquet"
    assert run("replay", recording, "--bundle", bundle_folder, "--out", out).code == 0
    return folder


def test_a_window_finds_itself_elsewhere_by_text_and_picture(
    run: Run, records: Path, bundle_folder: Path, pictures: Path
) -> None:
    for query in (("--text", "a cat"), ("--image", pictures / "1.png")):
        ran = run("search", records, *query, "--bundle", bundle_folder, "--top", 3, "--json")
        assert ran.code == 0, ran.err
        scores = [moment["score"] for moment in ran.json["moments"]]
        assert scores == sorted(scores, reverse=True)
        assert {moment["stream"] for moment in ran.json["moments"]} == {"/imu", "/camera"}
        assert ran.json["notes"] == []


def test_a_moment_has_seconds_stamps_and_dates(
    run: Run, records: Path, bundle_folder: Path
) -> None:
    ran = run("search", records, "--like", "/camera@1", "--stream", "/imu", "--json", "--top", 1)
    (moment,) = ran.json["moments"]
    assert moment["modality"] == "imu"
    assert moment["start_ns"] <= moment["best_ns"] <= moment["end_ns"]
    assert moment["start"].startswith("2023-11-14T22:13:2")
    assert moment["end_s"] - moment["start_s"] == pytest.approx(
        (moment["end_ns"] - moment["start_ns"]) / 1e9
    )
    table = run("search", records, "--like", "/camera@1", "--stream", "/imu", "--top", 1).out
    assert table.splitlines()[0].split()[:3] == ["cosine", "stream", "sense"]
    assert f"{moment['score']:.3f}" in table


def test_sums_and_differences(run: Run, records: Path, bundle_folder: Path) -> None:
    terms = ("--plus", "text:a dog", "--minus", "like:/imu@2", "--bundle", bundle_folder)
    changed = run("search", records, "--text", "a cat", *terms, "--json")
    plain = run("search", records, "--text", "a cat", "--bundle", bundle_folder, "--json")
    assert changed.code == 0, changed.err
    assert changed.json["moments"][0]["score"] != plain.json["moments"][0]["score"]


def test_prompts_that_no_sense_learnt_are_told(
    run: Run, recording: Path, bundle_copy: Path, tmp_path: Path
) -> None:
    dim = json.loads((bundle_copy / "bundle.json").read_text())["dim"]
    add_vocabulary(bundle_copy, dim, threshold=2.0)
    out = tmp_path / "a.parquet"
    run("replay", recording, "--bundle", bundle_copy, "--out", out)
    ran = run("search", out, "--text", "a cat", "--bundle", bundle_copy)
    assert ran.code == 0, ran.err
    assert "warning: vision learnt nothing near 'a cat'" in ran.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "a search starts from one of --text, --image, --audio and --like, none of them"),
        (("--text", "x", "--like", "y"), "--text and --like was given"),
        (("--image", "absent.png"), "absent.png: no such file; expected a file for --image"),
        (("--like", "/imu"), "'/imu' is not STREAM@TIME; for example /imu@12.5"),
        (
            ("--like", "/nose@1"),
            "no stream '/nose' in the records; there are: /camera (1.0 to 2.0 s)",
        ),
        (("--like", "/imu@99"), "99 is outside of /imu, which has windows from 0.0 to "),
        (("--like", "/imu@noon"), "'noon' is not a time; expected seconds"),
        (
            ("--text", "x", "--stream", "/n"),
            "no stream '/n' in the records; there are: /camera, /imu",
        ),
        (("--text", "x", "--minus", "x"), "cancel each other out"),
    ],
)
def test_bad_queries(
    run: Run, records: Path, bundle_folder: Path, arguments: tuple[str, ...], message: str
) -> None:
    ran = run("search", records, *arguments, "--bundle", bundle_folder)
    assert ran.code == 2
    assert message in ran.err


def test_bad_records(run: Run, records: Path, tmp_path: Path) -> None:
    wrong = run("search", records, "--text", "x", "--bundle", "demo")
    assert wrong.code == 2
    assert "cannot be compared" in wrong.err
    assert "by the bundle 'demo'" in wrong.err
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "no .parquet file in this folder" in run("search", empty, "--text", "x").err
    missing = run("search", tmp_path / "none.parquet", "--text", "x")
    assert (missing.code, "not a readable Parquet file" in missing.err) == (2, True)


def test_a_file_of_another_kind_is_no_query(
    run: Run, records: Path, bundle_folder: Path, recording: Path, tmp_path: Path
) -> None:
    table = tmp_path / "imu.csv"
    table.write_text("t_ns,ax,ay,az,gx,gy,gz\n0,0,0,0,0,0,0\n")
    ran = run("search", records, "--audio", table, "--bundle", bundle_folder)
    assert (ran.code, ran.out) == (2, "")
    assert "imu.csv holds imu, expected audio; give another file" in ran.err
    table.write_bytes(recording.read_bytes())
    ran = run("search", records, "--audio", table, "--bundle", bundle_folder)
    assert (ran.code, ran.out) == (2, "")
    assert "imu.csv is a recording; encode it with: sensebind replay" in ran.err
