# SPDX-License-Identifier: Apache-2.0
"""`sensebind embed` from the outside."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

import sensebind as sb

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from tests.runtime.cli.conftest import Ran

    Run = Callable[..., Ran]


def lines(ran: Ran) -> list[dict[str, object]]:
    """Records of JSON lines on stdout, without the metadata."""
    head, *rows = [json.loads(line) for line in ran.out.splitlines()]
    assert list(head) == ["metadata"]
    return rows


def vectors(rows: list[dict[str, object]]) -> NDArray[np.float32]:
    return np.array([row["vector"] for row in rows], np.float32)


def test_a_folder_gives_one_vector_per_picture_in_natural_order(
    run: Run, pictures: Path, bundle_folder: Path
) -> None:
    rows = lines(run("embed", pictures, "--bundle", bundle_folder, "--json"))
    assert [row["stream"] for row in rows] == [str(pictures / f"{n}.png") for n in (1, 2, 10)]
    with sb.Bundle.load(bundle_folder) as bundle:
        expected = bundle.encode("vision", [pictures / f"{n}.png" for n in (1, 2, 10)])
    assert vectors(rows).tobytes() == expected.tobytes()


def test_texts_from_the_command_line_a_file_and_standard_input(
    run: Run, bundle_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lines.txt").write_text("a red car\n\n the dog \n")
    monkeypatch.setattr("sys.stdin", io.StringIO("a cat\nloud alarm\n"))
    ran = run("embed", "-", tmp_path / "lines.txt", "--modality", "text", "--text", "a wall",
              "--bundle", bundle_folder, "--json")  # fmt: skip
    rows = lines(ran)
    texts = ["a cat", "loud alarm", "a red car", "the dog", "a wall"]
    assert [row["stream"] for row in rows] == texts
    with sb.Bundle.load(bundle_folder) as bundle:
        assert vectors(rows).tobytes() == bundle.encode_text(texts).tobytes()


def test_standard_input_lists_paths(
    run: Run, pictures: Path, bundle_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{pictures / '2.png'}\n{pictures / '1.png'}\n"))
    rows = lines(run("embed", "-", "--bundle", bundle_folder, "--json"))
    assert [row["stream"] for row in rows] == [str(pictures / "2.png"), str(pictures / "1.png")]


def test_a_long_file_gives_one_vector_per_window_from_its_first_sample(
    run: Run, imu_table: Path, bundle_folder: Path
) -> None:
    rows = lines(run("embed", imu_table, "--bundle", bundle_folder, "--json"))
    with sb.Bundle.load(bundle_folder) as bundle:
        window = bundle.encoder("imu").window
        table = np.loadtxt(imu_table, delimiter=",", skiprows=1)
        expected = bundle.encode("imu", table[:, 1:], stamps_ns=stamps_of(table))
    assert window is not None
    first = 123_456_789
    hop_ns = round(window.hop_s * 1e9)
    assert [row["start_ns"] for row in rows] == [first + k * hop_ns for k in range(len(rows))]
    assert len(rows) == int((3.1 - window.length_s) / window.hop_s) + 1
    # The one-shot form sees the samples after a window too, the stream only those it waits for.
    assert np.allclose(np.sum(vectors(rows) * expected, axis=1), 1, atol=1e-6)


def test_windows_lost_to_a_gap_are_told(
    run: Run, imu_table: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    header, *rows = imu_table.read_text().splitlines()
    (tmp_path / "gap.csv").write_text("\n".join([header, *rows[:150], *rows[200:]]))
    ran = run("embed", tmp_path / "gap.csv", "--bundle", bundle_folder, "--json")
    assert ran.code == 0
    assert 1 <= len(lines(ran)) < 5
    assert f"warning: {tmp_path / 'gap.csv'}: windows without a vector: " in ran.err
    assert " gap" in ran.err


def stamps_of(table: NDArray[np.float64]) -> NDArray[np.int64]:
    return 123_456_789 + np.arange(len(table), dtype=np.int64) * 10_000_000


def test_clips_are_averaged_and_normalised(run: Run, imu_table: Path, bundle_folder: Path) -> None:
    (row,) = lines(
        run("embed", imu_table, "--clips", "imagebind", "--bundle", bundle_folder, "--json")
    )
    with sb.Bundle.load(bundle_folder) as bundle:
        window = bundle.encoder("imu").window
        assert window is not None
        table = np.loadtxt(imu_table, delimiter=",", skiprows=1)
        values, stamps = table[:, 1:], stamps_of(table)
        starts_s = [i * (3.1 - window.length_s) / 3 for i in range(3)]
        clips = []
        for start_s in starts_s:
            kept = stamps >= 123_456_789 + round(start_s * 1e9)
            clips.append(bundle.encode("imu", values[kept], stamps_ns=stamps[kept])[0])
    mean = np.mean(clips, axis=0)
    expected = mean / np.linalg.norm(mean)
    vector = vectors([row])[0]
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)
    assert vector @ expected == pytest.approx(1, abs=1e-3)
    assert row["start_ns"] == 123_456_789
    assert row["end_ns"] == 123_456_789 + round((starts_s[2] + window.length_s) * 1e9)


def test_out_writes_a_file_with_labels(
    run: Run, pictures: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "pictures.parquet"
    ran = run("embed", pictures, "--prompts", "a cat,a dog", "--out", out,
              "--bundle", bundle_folder)  # fmt: skip
    assert ran.code == 0, ran.err
    table = pq.read_table(out)
    assert table.num_rows == 3
    assert set(table["label"].to_pylist()) <= {"a cat", "a dog"}
    assert b"vision" in table.schema.metadata[b"sensebind.encoder_ids"]
    assert "3 embeddings of 3 items in" in ran.out


def test_out_with_json_prints_a_summary(
    run: Run, pictures: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "pictures.jsonl"
    ran = run("embed", pictures, "--out", out, "--json", "--bundle", bundle_folder)
    assert ran.json == {"out": str(out), "embeddings": 3, "items": 3}


def test_the_table_has_a_row_per_vector(run: Run, pictures: Path, bundle_folder: Path) -> None:
    ran = run("embed", pictures / "1.png", "--text", "a cat", "--prompts", "a cat,a dog",
              "--bundle", bundle_folder)  # fmt: skip
    header, picture, text = ran.out.splitlines()
    assert header.split() == ["input", "modality", "from", "label", "score", "vector"]
    assert picture.startswith(f"{pictures / '1.png'}  vision")
    assert text.startswith("a cat ")


def test_a_bad_file_in_a_folder_is_skipped_and_told(
    run: Run, bundle_folder: Path, pictures: Path, tmp_path: Path
) -> None:
    (tmp_path / "good.png").write_bytes((pictures / "1.png").read_bytes())
    (tmp_path / "bad.png").write_bytes(b"no picture")
    ran = run("embed", tmp_path, "--bundle", bundle_folder, "--json")
    assert ran.code == 0
    assert [row["stream"] for row in lines(ran)] == [str(tmp_path / "good.png")]
    assert f"warning: skipped {tmp_path / 'bad.png'}: a jpeg frame" in ran.err


def test_what_is_alike_of_many_items_is_told_once(
    run: Run, imu_table: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    header, *rows = imu_table.read_text().splitlines()
    for number in range(1, 4):
        gap = [*rows[:150], *rows[200 + 10 * number :]]
        (tmp_path / f"gap{number}.csv").write_text("\n".join([header, *gap]))
    (tmp_path / "empty1.png").write_bytes(b"no picture")
    (tmp_path / "empty2.png").write_bytes(b"none")
    ran = run("embed", tmp_path, "--bundle", bundle_folder, "--json")
    assert ran.code == 0
    bad = f"skipped {tmp_path / 'empty1.png'}: a jpeg frame of 10 bytes is neither JPEG nor PNG"
    holes = f"{tmp_path / 'gap1.csv'}: windows without a vector: "
    expected = bad, holes, f"1 more item like this: {bad}", f"2 more items like this: {holes}"
    _, *told = ran.err.splitlines()  # the first is on the bundle
    for line, begin in zip(told, expected, strict=True):
        assert line.startswith(f"warning: {begin}")


def test_a_folder_of_bad_files_only_fails_and_writes_nothing(
    run: Run, bundle_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "bad.png").write_bytes(b"no picture")
    ran = run("embed", folder, "--bundle", bundle_folder, "--out", tmp_path / "out.jsonl")
    assert ran.code == 2
    assert "error: no vector came of 1 item; the warnings say why" in ran.err
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize(
    ("name", "content", "options", "expected"),
    [
        ("a.png", b"no picture", [], "a.png"),
        ("a.mcap", b"x", [], "is a recording; encode it with: sensebind replay"),
        ("a.xyz", b"x", [], "files ending in '.xyz' cannot be embedded; expected .jpg"),
        ("a.csv", b"t_ns,ax\n", [], "line 1 lacks the columns"),
        ("a.csv", b"t_ns,ax,ay,az,gx,gy,gz\n", [], "holds no samples"),
        ("a.csv", b"t_ns,ax,ay,az,gx,gy,gz\n5,0,0,9.8,0,0,0\n", [], "has no whole window of"),
        ("a.csv", b"x", ["--modality", "vision"], "--modality vision does not fit"),
        ("a.txt", b"\xff\xfe\x00", [], "cannot be read as UTF-8 text"),
        ("missing.png", None, [], "no such file or folder"),
        (".", None, [], "no file in this folder can be embedded"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("clips", ["all", "imagebind"])
def test_a_bad_input_is_named_and_exit_2(
    run: Run,
    bundle_folder: Path,
    tmp_path: Path,
    clips: str,
    name: str,
    content: bytes | None,
    options: list[str],
    expected: str,
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    ran = run("embed", path, "--bundle", bundle_folder, "--clips", clips, *options)
    assert ran.code == 2
    assert "error: " in ran.err
    assert expected in ran.err
    assert ran.out == ""


def test_nothing_to_embed_shows_an_example(run: Run, bundle_folder: Path) -> None:
    ran = run("embed", "--bundle", bundle_folder)
    assert ran.code == 2
    assert "there is nothing to embed; give files" in ran.err


def test_a_modality_the_bundle_lacks(run: Run, bundle_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    ran = run("embed", tmp_path / "a.wav", "--bundle", bundle_folder)
    assert ran.code == 2
    assert "error: " in ran.err


def test_a_picture_of_16_bits_is_depth(
    run: Run, pictures: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    Image.fromarray(np.full((48, 64), 1500, np.uint16)).save(tmp_path / "2.png")
    (tmp_path / "1.png").write_bytes((pictures / "1.png").read_bytes())
    rows = lines(run("embed", tmp_path, "--bundle", bundle_folder, "--json"))
    assert [row["modality"] for row in rows] == ["vision", "depth"]
    ran = run(
        "embed", tmp_path / "2.png", "--modality", "thermal", "--bundle", bundle_folder, "--json"
    )
    assert [row["modality"] for row in lines(ran)] == ["thermal"]


def test_a_depth_picture_without_its_focal_length_names_the_option(
    run: Run, tmp_path: Path
) -> None:
    """The built-in bundle's encoder of depth takes disparities."""
    depth = np.tile(np.linspace(500, 4000, 64).astype(np.uint16), (48, 1))
    Image.fromarray(depth).save(tmp_path / "d.png")
    ran = run("embed", tmp_path / "d.png")
    assert ran.code == 2
    assert "give fx of the depth camera: embed --focal PIXELS" in ran.err
    near, far = (
        run("embed", tmp_path / "d.png", "--focal", focal, "--json").out.splitlines()[1]
        for focal in (100, 500)
    )
    assert json.loads(near)["vector"] != json.loads(far)["vector"]
