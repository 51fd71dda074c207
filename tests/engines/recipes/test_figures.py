# SPDX-License-Identifier: Apache-2.0
"""A sense's figures: measured, stored and told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from sensebind.errors import InputError
from sensebind_engines.recipes.figures import (
    Failure,
    Measurement,
    Reference,
    SenseFigures,
    read_figures,
    write_figures,
)
from sensebind_engines.recipes.figures_text import evaluation_text
from sensebind_engines.recipes.measuring import class_table, measured
from sensebind_engines.recipes.vocabulary import Checked

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

TRUTH = np.array(["cat"] * 8 + ["dog"] * 2)
GROUPS = np.array([0, 0, 1, 1, 2, 2, 3, 3, 4, 5])


def measurement(credit: np.ndarray[Any, Any], **changes: Any) -> Measurement:
    told: dict[str, Any] = {
        "name": "depth named by text", "measure": "balanced accuracy", "split": "test",
        "nature": "simulated", "seen": "unseen objects", "group_kind": "objects", "classes": 2,
        "chance": 0.5, "seeds": tuple(range(len(credit))),
    }  # fmt: skip
    return measured(credit, GROUPS, TRUTH, **{**told, **changes})


def figures(**changes: Any) -> SenseFigures:
    credit = np.ones((2, 10))
    credit[1, 8] = 0
    one = measurement(
        credit, baseline_credit=np.eye(10)[0], baseline=Reference(name="b", value=0.1)
    )
    told: dict[str, Any] = {
        "sense": "depth", "binding": "emergent", "bound_to": "vision", "nature": "simulated",
        "summary": "A summary.", "parameters": 7, "shipped_seed": 0, "measurements": (one,),
        "class_tables": (class_table("test", TRUTH, [TRUTH[::-1]], GROUPS, TRUTH),),
        "failures": (Failure(item="view 3", truth="cat", said="dog", score=0.25),),
        "limits": ("It is small.",),
    }  # fmt: skip
    return SenseFigures(**{**told, **changes})


def test_the_figure_is_balanced_over_classes_and_seeds() -> None:
    credit = np.zeros((2, 10))
    credit[0, :8] = 1
    credit[1, 8] = 1
    found = measurement(credit)
    assert found.values == (0.5, 0.25)
    assert found.mean == 0.375
    assert (found.n, found.groups) == (10, 6)
    assert found.interval is not None
    assert found.interval.low < found.mean < found.interval.high


def test_groups_not_windows_carry_the_interval() -> None:
    rng = np.random.default_rng(0)
    right = rng.integers(0, 2, 40)
    told: dict[str, Any] = {
        "name": "x", "measure": "accuracy", "split": "test", "nature": "real", "seen": "",
        "group_kind": "clips", "classes": 2, "chance": 0.5, "seeds": (0,),
    }  # fmt: skip
    alone = measured(right[None], np.arange(40), **told)
    repeated = measured(np.repeat(right, 9)[None], np.repeat(np.arange(40), 9), **told)
    assert repeated.interval == alone.interval
    assert repeated.n == 360


def test_a_difference_is_drawn_in_pairs() -> None:
    credit = np.tile(np.arange(10) % 2, (3, 1))
    same = measurement(credit, baseline_credit=credit[0])
    assert same.difference is not None
    assert (same.difference.low, same.difference.high) == pytest.approx((0, 0), abs=1e-12)
    assert measurement(credit).difference is None


def test_one_group_has_no_interval() -> None:
    found = measured(
        np.ones((1, 3)), np.zeros(3), name="x", measure="accuracy", split="s", nature="real",
        seen="", group_kind="clips", classes=2, chance=0.5, seeds=(0,),
    )  # fmt: skip
    assert found.interval is None


def test_a_class_table_tells_where_the_rest_went() -> None:
    said = np.array(["cat"] * 5 + ["dog"] * 3 + ["cow", "dog"])
    cat, dog = class_table("test", TRUTH, [said, TRUTH], GROUPS).rows
    assert (cat.label, cat.n, cat.groups, cat.mistaken_for) == ("cat", 8, 4, "dog")
    assert cat.recall == pytest.approx((5 / 8 + 1) / 2)
    assert (dog.mistaken_for, dog.baseline) == ("cow", None)


def test_what_is_written_is_read_and_equal_figures_are_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        write_figures(tmp_path / name, figures())
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    found = read_figures(tmp_path / "a.json")
    assert found.measurements[0].values == (1.0, 0.75)
    assert found.class_tables == figures().class_tables


def test_a_figure_that_is_no_number_is_refused(tmp_path: Path) -> None:
    wrong = msgspec.structs.replace(figures().measurements[0], mean=float("nan"))
    with pytest.raises(InputError, match="a figure is nan, expected a finite number"):
        write_figures(tmp_path / "a.json", figures(measurements=(wrong,)))


@pytest.mark.parametrize("content", ["{}", "no json", '{"format": 9}'])
def test_figures_that_are_none_are_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "figures.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"cannot read the figures .*figures.json"):
        read_figures(path)


def test_figures_of_another_format_are_refused(tmp_path: Path) -> None:
    write_figures(tmp_path / "a.json", figures(format=2))
    with pytest.raises(InputError, match=r"is of format 2 with 1 measurements, expected format 1"):
        read_figures(tmp_path / "a.json")


def test_the_text_tells_binding_nature_intervals_and_failures() -> None:
    checked = Checked(0.59, 40, 38, 0.95, 1.0)
    text = evaluation_text([figures()], {"vision_cosine_min": 0.5}, checked)
    assert "## Depth: EMERGENT, SIMULATED" in text
    assert "**0.875** [" in text
    assert "| 10 (6 objects) | 2 | 0.500 | 0.100 (b) |" in text
    assert "0: 1.000, 1: 0.750" in text
    assert "- view 3: is cat, was called dog (0.25)" in text
    assert "- It is small." in text
    assert "vision cosine min" in text
    assert "Of 38\nothers, 95% of those" in text
    assert text == evaluation_text([figures()], {"vision_cosine_min": 0.5}, checked)
