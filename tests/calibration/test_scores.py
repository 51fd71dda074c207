# SPDX-License-Identifier: Apache-2.0
"""Scores of known temperature and known background; too few windows are refused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from scipy.stats import norm

from sensebind.bundle import Bundle
from sensebind.errors import InputError
from sensebind.records import Record
from sensebind.sinks import open_sink
from sensebind.sinks.base import finishing
from sensebind.zero_shot import DEFAULT_TEMPERATURE, ZeroShot, prompts_sha256
from sensebind_calibration.recording import dated
from sensebind_calibration.score_fit import (
    calibratedness,
    fit_temperature,
    reliability,
    share_interval,
    shares,
)
from sensebind_calibration.score_windows import (
    RecordsOf,
    Windows,
    read_truth,
    read_windows,
    records_of,
)
from sensebind_calibration.scores import calibrate_scores, doubts
from sensebind_calibration.thresholds import (
    class_threshold,
    fewest_negatives,
    unknown_threshold,
)
from tests.calibration.test_commands import run
from tests.support.bundles import bundle_folder as bundle_folder  # noqa: PLC0414 - a fixture
from tests.support.records import ENCODER_ID, record, run_metadata
from tests.support.toml import read_toml

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Values = NDArray[np.float64]
    Times = NDArray[np.int64]

CLASSES = {"alarm": ["a loud alarm", "alarm"], "cat": ["a cat"], "ramp": ["driving on a ramp"]}
HOP_S = 2.0


def drawn(rng: np.random.Generator, count: int, temperature: float) -> tuple[Values, Times]:
    """Cosines of five classes, and labels that are exactly as likely as their scores."""
    cosines = rng.normal(0, 0.1, (count, 5))
    chances = shares(cosines, temperature)
    chosen = [int(rng.choice(5, p=row / row.sum())) for row in chances]
    return cosines, np.array(chosen, np.int64)


@pytest.mark.parametrize("temperature", [0.03, 0.07, 0.2])
def test_the_temperature_is_found(temperature: float) -> None:
    fit = fit_temperature(*drawn(np.random.default_rng(0), 1000, temperature))
    assert fit.value == pytest.approx(temperature, rel=0.2)
    assert fit.low <= temperature <= fit.high
    assert fit.bounded_below
    assert fit.bounded_above


def test_labels_that_are_all_right_bound_it_above_only() -> None:
    cosines, _ = drawn(np.random.default_rng(1), 100, 0.07)
    fit = fit_temperature(cosines, cosines.argmax(axis=1))
    assert not fit.bounded_below
    assert fit.bounded_above
    assert fit.high < 0.05


def test_scores_that_are_right_have_the_error_of_chance() -> None:
    cosines, classes = drawn(np.random.default_rng(2), 400, 0.05)
    right = calibratedness(shares(cosines, 0.05), classes)
    cold = calibratedness(shares(cosines, 0.01), classes)
    assert right.error < 2 * right.perfect
    assert cold.error > 0.2
    assert cold.interval[0] < cold.error < cold.interval[1]
    bins = reliability(shares(cosines, 0.05), shares(cosines, 0.01), classes)
    assert sum(each.windows for each in bins) == 400
    assert [each.score for each in bins] == sorted(each.score for each in bins)
    assert np.mean([each.score_before - each.score for each in bins]) > 0.1


def test_shares_have_the_interval_of_clopper_and_pearson() -> None:
    low, high = share_interval(0, 10)
    assert low == 0
    assert high == pytest.approx(1 - 0.025 ** (1 / 10))
    assert share_interval(10, 10) == pytest.approx((0.025 ** (1 / 10), 1.0))


def test_a_threshold_lets_as_many_through_as_it_may() -> None:
    rng = np.random.default_rng(3)
    cosines, classes = rng.normal(0.1, 0.05, (199, 4)), np.full(199, -1)
    found = unknown_threshold(cosines, classes, 0.05)
    assert found is not None
    assert (cosines.max(axis=1) >= found.cosine).sum() == 9  # of 200 with the next one, 10 are 5 %
    assert found.false_alarms == 0.05
    assert found.found is None
    assert unknown_threshold(cosines[:18], classes[:18], 0.05) is None
    assert fewest_negatives(0.05) == 19
    assert unknown_threshold(cosines[:19], classes[:19], 0.05) is not None


def test_a_class_is_an_alarm_only_where_it_is_the_best() -> None:
    cosines = np.tile([0.3, 0.1], (100, 1))
    cosines[:10] = [0.1, 0.2]
    classes = np.zeros(100, np.int64)
    assert class_threshold(cosines, classes, 1, 0.2) is None  # best in 10 % only
    found = class_threshold(cosines, classes, 1, 0.05)
    assert found is not None
    assert found.cosine == pytest.approx(0.2)


def write(
    path: Path, bundle: Bundle, classes: Times, rng: np.random.Generator, hop_s: float = HOP_S
) -> Path:
    """Records whose vectors lie about the prototypes of their classes; below 0, anywhere."""
    prototypes = ZeroShot(bundle, CLASSES).prototypes
    dim = prototypes.shape[1]
    metadata = msgspec.structs.replace(run_metadata(dim), space_id=bundle.space_id)
    with finishing(open_sink(path, metadata)) as sink:
        for number, place in enumerate(classes):
            vector = rng.normal(0, 1, dim) / np.sqrt(dim)
            if place >= 0:
                vector = vector + 0.5 * prototypes[place]
            made = record(0, dim).embedding
            begin_ns = made.start_ns + round(number * hop_s * 1e9)
            sink.write(Record(replace(
                made, vector=(vector / np.linalg.norm(vector)).astype(np.float32),
                grid_ns=begin_ns + 2 * 10**9, start_ns=begin_ns, end_ns=begin_ns + 2 * 10**9,
            )))  # fmt: skip
    return path


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(4)


def test_the_command_writes_what_runs_take(
    bundle_folder: Path, tmp_path: Path, rng: np.random.Generator
) -> None:
    with Bundle.load(bundle_folder) as bundle:
        files = [
            f"{label}={write(tmp_path / f'{label}.parquet', bundle, np.full(40, place), rng)}"
            for place, label in enumerate([*CLASSES])
        ]
        room = write(tmp_path / "room.parquet", bundle, np.full(60, -1), rng)
    prompts, out = tmp_path / "p.json", tmp_path / "c.toml"
    prompts.write_bytes(msgspec.json.encode(CLASSES))
    shown = run("scores", *files, f"unknown={room}", "--prompts", prompts, "--bundle",
                bundle_folder, "--out", out)  # fmt: skip
    assert "3 classes" in shown
    section = read_toml(out)["scores"]["/imu"]
    assert section["determined"] == ["temperature", "thresholds", "unknown_threshold"]
    assert section["prompts_sha256"] == prompts_sha256(CLASSES)
    assert section["encoder_id"] == ENCODER_ID
    assert section["labels"] == [*CLASSES]
    assert (section["windows"], section["background"]) == (180, 60)
    assert section["temperature"] != DEFAULT_TEMPERATURE
    assert section["unknown_threshold"]["negatives"] == 60
    assert sum(each["windows"] for each in section["reliability"]) == 120
    assert "false alarms" in run("show", out)


def test_background_alone_tells_when_nothing_is_known(
    bundle_folder: Path, tmp_path: Path, rng: np.random.Generator
) -> None:
    with Bundle.load(bundle_folder) as bundle:
        room = write(tmp_path / "room.parquet", bundle, np.full(60, -1), rng)
    out = tmp_path / "c.toml"
    words = ("--prompts", "alarm,cat,ramp", "--bundle", bundle_folder, "--out", out)
    shown = run("scores", f"unknown={room}", *words)
    assert "0 windows with labels" in shown
    section = read_toml(out)["scores"]["/imu"]
    assert section["temperature"] == DEFAULT_TEMPERATURE
    assert "temperature" not in section["determined"]
    assert "temperature_interval" not in section
    with pytest.raises(InputError, match="Without labels every temperature fits as well"):
        run("scores", room, *words, "--force")


def test_overlapping_windows_count_once(
    bundle_folder: Path, tmp_path: Path, rng: np.random.Generator
) -> None:
    with Bundle.load(bundle_folder) as bundle:
        path = write(tmp_path / "a.parquet", bundle, np.full(40, -1), rng, hop_s=0.5)
    windows = read_windows([RecordsOf(path, "unknown")], [*CLASSES])
    assert (len(windows.classes), windows.overlapping) == (10, 30)
    assert windows.span_s == pytest.approx(39 * 0.5 + 2)


def test_a_table_tells_the_classes_of_spans(
    bundle_folder: Path, tmp_path: Path, rng: np.random.Generator
) -> None:
    with Bundle.load(bundle_folder) as bundle:
        path = write(tmp_path / "drive.parquet", bundle, np.repeat([0, 1, -1], 4), rng)
    table = tmp_path / "truth.csv"
    table.write_text("start_s,end_s,label\n0,8,alarm\n8,15.5,cat\n16,24,\n")
    windows = read_windows([RecordsOf(path, "")], [*CLASSES], truth=table)
    assert windows.classes.tolist() == [0] * 4 + [1] * 4 + [-1] * 4
    table.write_text("start_s,end_s,label\n0,8.5,alarm\n8,24,cat\n")
    windows = read_windows([RecordsOf(path, "")], [*CLASSES], truth=table)
    assert windows.classes.tolist() == [0] * 4 + [1] * 7  # one is touched by both
    assert windows.unlabelled == 1
    table.write_text("start_s,end_s,label\n0,8,dog\n")
    with pytest.raises(InputError, match="the truth has the class 'dog', the prompts have alarm"):
        read_windows([RecordsOf(path, "")], [*CLASSES], truth=table)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("start,end,label\n", "has the columns start, end, label; expected start_s, end_s"),
        ("start_s,end_s,label\n3,2,a\n", "line 2: from '3' to '2' is no span"),
        ("start_s,end_s,label\nx,2,a\n", "line 2: from 'x' to '2' is no span"),
    ],
)
def test_bad_tables_are_named(text: str, told: str, tmp_path: Path) -> None:
    table = tmp_path / "truth.csv"
    table.write_text(text)
    with pytest.raises(InputError, match=told):
        read_truth(table, 0)


def test_too_few_windows_and_one_class_are_refused(
    bundle_folder: Path, tmp_path: Path, rng: np.random.Generator
) -> None:
    with Bundle.load(bundle_folder) as bundle:
        few = write(tmp_path / "few.parquet", bundle, np.full(8, 0), rng)
        many = write(tmp_path / "many.parquet", bundle, np.full(60, 0), rng)
        random = write(tmp_path / "random.parquet", bundle, np.full(60, -1), rng)
    words = ("--prompts", "alarm,cat,ramp", "--bundle", bundle_folder, "--out", tmp_path / "c.toml")
    with pytest.raises(InputError, match=r"^/imu: 8 windows with labels of 1 classes and 0 of"):
        run("scores", f"alarm={few}", *words)
    shown = run("scores", f"alarm={many}", *words)
    assert "60 windows with labels tell no temperature" in shown
    with pytest.raises(InputError, match=r"the scores tell nothing of the labels: \d+ of 120"):
        # Every second one is of another class than it is said to be.
        run("scores", f"cat={many}", f"ramp={random}", *words, "--force")
    with pytest.raises(InputError, match="they cannot be compared; name the right one"):
        run("scores", f"alarm={many}", "--prompts", "alarm,cat", "--bundle", "demo",
            "--out", tmp_path / "d.toml")  # fmt: skip
    with pytest.raises(InputError, match="the truth has the class 'dog'"):
        run("scores", f"dog={many}", *words, "--force")


def test_files_are_named_with_and_without_a_class(tmp_path: Path) -> None:
    odd = tmp_path / "a=b.parquet"
    odd.touch()
    assert records_of(str(odd), ["cat"]) == (odd, "")
    assert records_of(f"cat={odd}", ["cat"]) == (odd, "cat")


def test_temperatures_lie_in_their_intervals_as_often_as_they_say() -> None:
    fits = [fit_temperature(*drawn(np.random.default_rng(s), 60, 0.07)) for s in range(200)]
    held = np.mean([fit.low <= 0.07 <= fit.high for fit in fits])
    assert held >= 0.90  # three standard deviations of a binomial below 95 %


def test_false_alarms_are_as_many_as_told() -> None:
    realised, held = [], []
    for seed in range(400):
        sample = np.random.default_rng(seed).normal(0, 0.1, (79, 1))
        found = unknown_threshold(sample, np.full(79, -1), 0.05)
        assert found is not None
        realised.append(norm.sf(found.cosine / 0.1))
        low, high = found.false_alarms_interval
        held.append(low <= realised[-1] <= high)
    assert np.mean(realised) == pytest.approx(0.05, abs=0.005)
    assert np.mean(held) >= 0.92


@pytest.mark.slow
def test_errors_shrink_with_the_root_of_the_windows() -> None:
    def spread(count: int) -> float:
        values = [
            fit_temperature(*drawn(np.random.default_rng(seed), count, 0.07)).value
            for seed in range(100)
        ]
        return float(np.std(np.log(values)))

    assert 1.4 < spread(100) / spread(400) < 2.8  # 2 = sqrt(4), known to 14 % of 100 instances each


def test_a_temperature_like_the_one_before_is_told() -> None:
    for temperature, alike in ((DEFAULT_TEMPERATURE, True), (0.02, False)):
        cosines, classes = drawn(np.random.default_rng(5), 300, temperature)
        windows = Windows(np.zeros((300, 8), np.float32), classes, "/mic", "", "", 1.0, 0, 0)
        origin = dated("r", "", readings=300, duration_s=1.0)
        section = calibrate_scores(windows, cosines, list("abcde"), "", origin)
        told = " ".join(doubts(section, windows, 0.05))
        assert ("fits the windows as well" in told) is alike
