# SPDX-License-Identifier: Apache-2.0
"""`sensebind replay` from the outside: what it writes, tells and refuses."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq
import pytest

import sensebind as sb
from sensebind.pooling import pooled
from tests.support.bags import compressed_image, imu, text, write_db3, write_mcap

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.runtime.cli.conftest import Ran

    Run = Callable[..., Ran]


def test_the_file_holds_what_the_pipeline_gives(
    run: Run, recording: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "drive.parquet"
    ran = run("replay", recording, "--bundle", bundle_folder, "--out", out)
    assert ran.code == 0, ran.err
    table = pq.read_table(out)
    with sb.Bundle.load(bundle_folder) as bundle, sb.Pipeline(bundle) as pipeline:
        expected = list(pipeline.run(sb.open_source(recording)))
    assert table["grid_ns"].to_pylist() == [e.grid_ns for e in expected]
    found = np.array(table["vector"].to_pylist(), np.float32)
    assert found.tobytes() == np.stack([e.vector for e in expected]).tobytes()
    assert set(table["stream"].to_pylist()) == {"/imu", "/camera"}


def test_a_camera_is_read_as_clips(
    run: Run, recording: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "drive.jsonl"
    ran = run("replay", recording, "--bundle", bundle_folder, "--out", out,
              "--stream", "/camera=vision,frame_pooling=0.4,hop=0.2")  # fmt: skip
    assert ran.code == 0, ran.err
    window = json.loads(out.read_text().splitlines()[0])["metadata"]["windows"]["/camera"]
    with sb.Bundle.load(bundle_folder) as bundle:
        assert window["encoder_id"] == pooled(bundle.encoder("vision"), 0.4).encoder_id
    assert window["length_s"] == 0.4


def test_a_robots_file_says_how_and_options_go_before_it(
    run: Run, recording: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    robot, out = tmp_path / "robot.toml", tmp_path / "drive.jsonl"
    robot.write_text(
        f'bundle = "{bundle_folder}"\nhop_s = 0.5\nprompts = "a cat,a dog"\n[streams."/imu"]\n'
        'modality = "imu"\npriority = 3\n[fusion]\nmin_streams = 1\n[labels]\nmin_cosine = 0.99\n'
        '[devices.mic]\nkind = "microphone"\n[output]\nfile = "robot.parquet"\n'
        '[changes]\nfile = "changes.jsonl"\nthreshold = 0.001\nrefractory_s = 0.0\n'
    )
    ran = run("replay", recording, "--config", robot, "--out", out)
    assert ran.code == 0, ran.err
    metadata = json.loads(out.read_text().splitlines()[0])["metadata"]
    assert metadata["labels"] == ["a cat", "a dog"]
    assert {w["hop_s"] for w in metadata["windows"].values()} == {0.5}
    assert "joint: " in ran.out
    assert re.search(r"labels: unknown \d+", ran.out)
    changes = tmp_path / "told.jsonl"
    ran = run("replay", recording, "--config", robot, "--out", out, "--hop", "0.1", "--prompts",
              "a,b", "--changes", changes)  # fmt: skip
    assert ran.code == 0, ran.err
    metadata = json.loads(out.read_text().splitlines()[0])["metadata"]
    assert metadata["labels"] == ["a", "b"]
    assert metadata["windows"]["/imu"]["hop_s"] == 0.1
    assert changes.read_text()
    assert not (tmp_path / "changes.jsonl").exists()


def test_it_tells_decisions_counts_and_speed(
    run: Run, recording: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "drive.jsonl"
    ran = run("replay", recording, "--bundle", bundle_folder, "--out", out)
    assert "reads /imu as imu: sensor_msgs/msg/Imu is an IMU" in ran.out
    assert "reads /camera as vision: encoding rgb8" in ran.out
    assert "std_msgs/msg/String is not a sense (1)" in ran.out
    assert "samples: 360 = " in ran.out
    assert " per second, in " in ran.out
    assert "warning: test is a test bundle: its weights are random" in ran.err


def test_samples_and_windows_add_up(
    run: Run, recording: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "drive.jsonl"
    ran = run("replay", recording, "--bundle", bundle_folder, "--out", out, "--json")
    stream = ran.json["report"]["streams"]["/imu"]
    counters = stream["counters"]
    causes = ("used", "unused", "late", "duplicate", "invalid")
    assert counters["pushed"] == sum(counters[cause] for cause in causes) == 360
    assert counters["gap"] > 0
    assert stream["embedded"] == counters["emitted"]


def test_json_is_all_there_is_on_stdout(
    run: Run, recording: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "drive.jsonl"
    ran = run("replay", recording, "--bundle", bundle_folder, "--out", out, "--json",
              "--prompts", "a cat,a dog")  # fmt: skip
    summary = ran.json
    assert ran.out.count("\n") == 1
    assert summary["out"] == str(out)
    assert {d["stream"]: d["used"] for d in summary["decisions"]} == {
        "/camera": True, "/imu": True, "/notes": False,
    }  # fmt: skip
    assert (
        sum(summary["labels"]["/imu"].values()) == summary["report"]["streams"]["/imu"]["embedded"]
    )
    assert len(out.read_text().splitlines()) == summary["embeddings"] + 1


def test_prompts_add_labels(run: Run, recording: Path, bundle_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "drive.parquet"
    ran = run("replay", recording, "--bundle", bundle_folder, "--out", out,
              "--prompts", "a cat,a dog")  # fmt: skip
    table = pq.read_table(out)
    assert table.schema.metadata[b"sensebind.labels"] == b'["a cat","a dog"]'
    best = [["a cat", "a dog"][i] for i in np.array(table["scores"].to_pylist()).argmax(axis=1)]
    assert table["label"].to_pylist() == best
    assert "  labels: " in ran.out


def test_two_runs_give_the_same_bytes(
    run: Run, recording: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    for name in ("a.parquet", "b.parquet"):
        assert (
            run("replay", recording, "--bundle", bundle_folder, "--out", tmp_path / name).code == 0
        )
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_stream_and_hop_options_reach_the_pipeline(
    run: Run, recording: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "drive.jsonl"
    ran = run("replay", recording, "--bundle", bundle_folder, "--out", out, "--hop", "0.5",
              "--stream", "/imu=imu,hop=0.25", "--order", "log")  # fmt: skip
    assert ran.code == 0, ran.err
    metadata = json.loads(out.read_text().splitlines()[0])["metadata"]
    assert metadata["windows"]["/imu"]["hop_s"] == 0.25
    assert metadata["windows"]["/camera"]["hop_s"] == 0.5
    assert metadata["order"] == "log"


def test_a_time_range_gives_the_windows_inside_it(
    run: Run, recording: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    whole, part = tmp_path / "whole.parquet", tmp_path / "part.parquet"
    run("replay", recording, "--bundle", bundle_folder, "--out", whole)
    ran = run("replay", recording, "--bundle", bundle_folder, "--out", part,
              "--from", "1", "--to", "2023-11-14T22:13:22.35Z")  # fmt: skip
    assert ran.code == 0, ran.err
    assert "read from 1.000 s (2023-11-14T22:13:21.000Z) to 2.350 s (2023-" in ran.out
    vectors = {
        path: {(r["stream"], r["grid_ns"]): r["vector"] for r in pq.read_table(path).to_pylist()}
        for path in (whole, part)
    }
    common = {key: vector for key, vector in vectors[part].items() if key[0] == "/imu"}
    assert common
    assert common == {key: vectors[whole][key] for key in common}
    begin_ns = 1_700_000_001_000_000_000
    assert min(r["start_ns"] for r in pq.read_table(part).to_pylist()) >= begin_ns


def test_several_recordings_are_encoded_as_one(
    run: Run, recording: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    rows = [imu("/imu", 1_700_000_004 * 10**9 + i * 10**7, [0, 0, 9.8, 0, 0, 0]) for i in range(99)]
    later = write_db3(tmp_path / "later.db3", rows)
    out = tmp_path / "both.parquet"
    ran = run("replay", later, recording, "--bundle", bundle_folder, "--out", out, "--json")
    assert ran.json["source"]["name"] == "later.db3 + drive.mcap"
    assert ran.json["report"]["sources"]["later.db3 + drive.mcap"]["read"]["/imu"] == 360 + 99
    assert ran.json["report"]["streams"]["/imu"]["counters"]["late"] == 0
    metadata = pq.read_table(out).schema.metadata
    assert metadata[b"sensebind.source"] == b'"later.db3 + drive.mcap"'
    assert metadata[b"sensebind.source_sha256"].count(b" + ") == 1


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_shown_on_a_terminal_only(
    run: Run,
    recording: Path,
    bundle_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    terminal: bool,
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    shown: list[float] = []
    monkeypatch.setattr(
        "rich.progress.Progress.update", lambda *_, completed: shown.append(completed)
    )
    ran = run(
        "replay", recording, "--bundle", bundle_folder, "--out", tmp_path / "a.jsonl", "--json"
    )
    assert ran.json["embeddings"] > 0
    assert bool(shown) == terminal
    assert shown == sorted(shown)


def test_a_recording_too_short_for_a_window_writes_nothing(
    run: Run, bundle_folder: Path, tmp_path: Path
) -> None:
    messages = [imu("/imu", 10**9 + i * 10**7, [0, 0, 9.8, 0, 0, 0]) for i in range(20)]
    short = write_mcap(tmp_path / "short.mcap", messages)
    out = tmp_path / "out.parquet"
    out.write_text("before")
    ran = run("replay", short, "--bundle", bundle_folder, "--out", out)
    assert ran.code == 1
    assert "error: no window of short.mcap became an embedding" in ran.err
    assert "/imu: 0 embeddings; samples: 20 = 0 used" in ran.err
    assert ran.err.endswith("Give a longer part, or a lower min_coverage=\n")
    assert "samples: 20 = " in ran.out
    assert out.read_text() == "before"


def test_an_imu_too_slow_for_its_encoder_is_told(
    run: Run, bundle_folder: Path, tmp_path: Path
) -> None:
    messages = [imu("/imu", 10**9 + i * 15 * 10**7, [0, 0, 9.8, 0, 0, 0]) for i in range(60)]
    slow = write_mcap(tmp_path / "slow.mcap", messages)
    ran = run("replay", slow, "--bundle", bundle_folder, "--out", tmp_path / "out.jsonl")
    assert ran.code == 1
    assert "events: sparse 59" in ran.out
    assert ran.err.endswith(
        "/imu: 59 of 60 readings come over 50 ms after the one before, which the encoder counts "
        "as missing; it needs more than 20 per second\n"
    )


def test_a_recording_whose_messages_cannot_be_used_says_what_is_wrong_with_them(
    run: Run, bundle_folder: Path, tmp_path: Path
) -> None:
    messages = [compressed_image("/cam", i * 10**8, b"GIF89a", "gif") for i in range(20)]
    path = write_mcap(tmp_path / "gif.mcap", messages)
    asked = ("--stream", "/cam=vision", "--out", tmp_path / "out.parquet")
    ran = run("replay", path, "--bundle", bundle_folder, *asked)
    assert ran.code == 1
    assert ran.err.endswith(
        "windows: 0 = 0 embedded; /cam: messages skipped: 20 neither JPEG nor PNG\n"
    )


BAD_USAGE = {
    "": "--out is missing: say where .* for example --out drive.parquet",
    "--out a.csv": r"its suffix '\.csv' is not a format we write",
    "--out nowhere/a.parquet": "there is no folder '.*nowhere'; create it first: mkdir -p",
    "--out a.jsonl --order time": "--order is 'time', expected one of stamp, log",
    "--out a.jsonl --hop 0.0001": "--hop is 0.0001, expected seconds from 0.001 to 3600",
    "--out a.jsonl --hop -1": "--hop is -1.0, expected seconds from 0.001",
    "--out a.jsonl --threads 0": "--threads is 0, expected 1 to 256",
    "--out a.jsonl --backend abacus": "--backend is 'abacus', expected one of auto, onnxruntime",
    "--out a.jsonl --stream /imu": "'/imu' is not TOPIC=modality.* for example",
    "--out a.jsonl --stream /imu=imu,fast": "'fast' is not key=value",
    "--out a.jsonl --stream /imu=imu --stream /imu=imu": "--stream names '/imu' twice",
    "--out a.jsonl --stream /imu=smell": "modality=smell: expected one of vision, text, audio",
    "--out a.jsonl --stream /imu=imu,hops=1": "unknown option 'hops'.* known options: .*hop,",
    "--out a.jsonl --stream /imu=imu,hop=x": "stream '/imu': hop=x: expected seconds from 0.001",
    "--out a.jsonl --stream /imu=imu,unit=g;kg": "unit=g;kg: 'kg' is not expected; give one of",
    "--out a.jsonl --stream /imo=imu": "no stream '/imo' .*did you mean '/imu'",
    "--out a.jsonl --stream /imu=vision": "stream '/imu' .* cannot be encoded as vision",
    "--out a.jsonl --from soon": "'soon' is not a time; expected seconds after",
    "--out a.jsonl --from 3 --to 1": "begins at 3.000 s .* ends at 1.000 s .*; expected an end",
    "--out a.jsonl --from 60": "nothing was recorded in the time range",
    "--out a.jsonl --prompts none.txt": "cannot read the prompts in none.txt",
    "--out a.jsonl --prompts cats": "give at least two",
    "--foo": "No such option: --foo.*; see: sensebind replay --help",
}


@pytest.mark.parametrize("options", BAD_USAGE)
def test_bad_usage_is_one_clear_line_and_exit_2(
    run: Run,
    recording: Path,
    bundle_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = run("replay", recording, "--bundle", bundle_folder, *options.split())
    assert ran.code == 2
    (line,) = [line for line in ran.err.splitlines() if not line.startswith("warning:")]
    assert line.startswith("error: ")
    assert re.search(BAD_USAGE[options], line)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "no such file or folder"),
        (b"", r"the file is empty \(0 bytes\)"),
        (b"hello, I am a text", "not a recording, it begins with b'hello"),
    ],
)
def test_a_bad_recording_is_exit_2(
    run: Run, bundle_folder: Path, tmp_path: Path, content: bytes | None, expected: str
) -> None:
    bag = tmp_path / "drive.mcap"
    if content is not None:
        bag.write_bytes(content)
    ran = run("replay", bag, "--bundle", bundle_folder, "--out", tmp_path / "a.parquet")
    assert ran.code == 2
    assert re.search(expected, ran.err)
    assert not (tmp_path / "a.parquet").exists()


def test_nothing_maps_lists_every_stream(run: Run, bundle_folder: Path, tmp_path: Path) -> None:
    bag = write_db3(tmp_path / "talk.db3", [text("/notes", 10**9, "hello")])
    ran = run("replay", bag, "--bundle", bundle_folder, "--out", tmp_path / "a.parquet")
    assert ran.code == 2
    assert "no stream maps to an encoder" in ran.err
    assert "/notes: std_msgs/msg/String is not a sense" in ran.err


def test_a_missing_bundle_names_the_built_in_ones(
    run: Run, recording: Path, tmp_path: Path
) -> None:
    ran = run("replay", recording, "--bundle", "nowhere", "--out", tmp_path / "a.parquet")
    assert ran.code == 2
    assert "error: no bundle 'nowhere'" in ran.err


def test_streams_left_out_for_the_same_reason_share_a_line(
    run: Run, imu_table: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "walks"
    folder.mkdir()
    for name in "abcde":
        (folder / f"{name}.csv").write_bytes(imu_table.read_bytes())
    ran = run("replay", folder, "--bundle", bundle_folder, "--out", tmp_path / "out.jsonl")
    (line,) = [line for line in ran.out.splitlines() if line.startswith("skips")]
    assert line == (
        "skips b.csv and 3 more: CSV table is an IMU; imu is taken from 'a.csv' "
        "(otherwise, for instance: --stream b.csv=imu)"
    )


def test_what_reading_met_is_told_where_nothing_maps(
    run: Run, recording: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "cut.mcap").write_bytes(recording.read_bytes()[:300])
    ran = run(
        "replay", tmp_path / "cut.mcap", "--bundle", bundle_folder, "--out", tmp_path / "o.jsonl"
    )
    assert ran.code == 2
    *_, warning, error = ran.err.splitlines()
    assert warning.startswith("warning: cut.mcap: ")
    assert "cut short" in warning or "truncated" in warning
    assert error == "error: nothing to encode: the recording has no streams (0 messages)"
