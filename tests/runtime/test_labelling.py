# SPDX-License-Identifier: Apache-2.0
"""Labels of a stream: sets that are switched, thresholds, smoothing and hysteresis."""

from __future__ import annotations

import math
from threading import Event, Thread
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensebind.calibration.sections import Provenance, ScoresSection, Threshold
from sensebind.errors import ConfigError, InputError
from sensebind.labelling import LabelConfig, Labeller, Smoothing, labelled
from tests.support.calibrations import provenance
from tests.support.spaces import classes, embedding

PETS = classes("cat", "dog")
ALL = classes("cat", "dog", "bird")


def shown(labeller: Labeller, *cats: float, step_s: float = 0.5) -> list[str | None]:
    """Labels of windows whose angle from "cat" towards "dog" is given in quarter turns."""
    turns = [(math.cos(c * math.pi / 2), math.sin(c * math.pi / 2)) for c in cats]
    return [labeller.record(embedding(i * step_s, *parts)).label for i, parts in enumerate(turns)]


def test_by_default_each_window_is_labelled_by_itself() -> None:
    labeller = Labeller(PETS)
    for at_s, parts in enumerate([(1.0, 0.2), (0.3, 1.0), (1.0, 0.9)]):
        made = labeller.record(embedding(at_s, *parts))
        alone = labelled(embedding(at_s, *parts), PETS)
        assert (made.label, made.prompt_set) == (alone.label, "")
        assert made.scores is not None
        assert alone.scores is not None
        np.testing.assert_array_equal(made.scores, alone.scores)
    assert labeller.labels == ("cat", "dog")
    assert labeller.prompt_sets == {}


def test_without_prompts_there_is_no_label() -> None:
    record = Labeller(None).record(embedding(0, 1.0), ("a", "b"))
    assert (record.label, record.scores, record.members) == (None, None, ("a", "b"))
    assert labelled(embedding(0, 1.0), None).label is None


def test_what_no_class_fits_is_unknown() -> None:
    by_score = Labeller(PETS, LabelConfig(min_score=0.8))
    assert shown(by_score, 0.0, 0.5, 1.0) == ["cat", "unknown", "dog"]
    by_cosine = Labeller(PETS, LabelConfig(min_cosine=0.5))
    far = [embedding(i, *parts) for i, parts in enumerate([(1.0,), (0.3, 0.1, 1.0), (0.1, 1.0)])]
    assert [by_cosine.record(e).label for e in far] == ["cat", "unknown", "dog"]


def worth(temperature: float = 0.2, **values: Any) -> dict[str, ScoresSection]:
    """What the scores of "camera" are worth."""
    section = ScoresSection(
        provenance=msgspec.convert(provenance(), Provenance),
        space_id="",
        encoder_id="",
        labels=PETS.labels,
        temperature=temperature,
        **{"prompts_sha256": PETS.prompts_sha256, **values},
    )
    return {"camera": section}


def test_calibrated_scores_have_a_temperature_of_their_own() -> None:
    labeller = Labeller(PETS, calibrated=worth(0.5))
    sharp, other = Labeller(PETS), Labeller(PETS, calibrated=worth(0.5, prompts_sha256="other"))
    window = embedding(0, 1.0, 0.5)
    cosines = PETS.cosines(window.vector)
    np.testing.assert_array_equal(labeller.record(window).scores, PETS.shares(cosines, 0.5))
    np.testing.assert_array_equal(other.record(window).scores, sharp.record(window).scores)
    elsewhere = embedding(0, 1.0, 0.5, stream="infra")
    np.testing.assert_array_equal(labeller.record(elsewhere).scores, PETS.shares(cosines))


def test_calibrated_thresholds_withhold_labels() -> None:
    for_all = Labeller(PETS, calibrated=worth(unknown_threshold=Threshold(cosine=0.8)))
    assert shown(for_all, 0.0, 0.5, 1.0) == ["cat", "unknown", "dog"]
    for_cats = Labeller(PETS, calibrated=worth(thresholds={"cat": Threshold(cosine=0.99)}))
    assert shown(for_cats, 0.0, 0.3, 0.7, 1.0) == ["cat", "unknown", "dog", "dog"]


def test_unknown_is_left_with_a_margin() -> None:
    labeller = Labeller(PETS, LabelConfig(min_score=0.7, margin=0.2))
    scores = [float(ALL.scores(embedding(0, 1.0, p).vector).max()) for p in (0.9, 0.7, 0.0)]
    assert scores[0] < 0.7
    assert shown(labeller, 0.5, 0.36, 0.0) == ["unknown", "unknown", "cat"]


def test_another_label_needs_a_margin() -> None:
    assert shown(Labeller(PETS), 0.4, 0.55, 0.45, 0.9) == ["cat", "dog", "cat", "dog"]
    held = Labeller(PETS, LabelConfig(margin=0.4))
    assert shown(held, 0.4, 0.55, 0.45, 0.9, 0.45) == ["cat", "cat", "cat", "dog", "dog"]


def test_a_held_label_that_fits_no_more_gives_way() -> None:
    labeller = Labeller(PETS, LabelConfig(min_score=0.5, margin=0.9))
    assert shown(labeller, 0.4, 0.7) == ["cat", "dog"]


def test_averaged_scores_let_single_windows_pass() -> None:
    smooth = Labeller(PETS, LabelConfig(smoothing="exponential", smoothing_s=2.0))
    assert shown(smooth, 0, 0, 0, 1, 0, 1, 1, 1, 1) == ["cat"] * 6 + ["cat", "dog", "dog"]
    slow = Labeller(PETS, LabelConfig(smoothing="exponential", smoothing_s=2.0))
    assert shown(slow, 0, 1, step_s=20) == ["cat", "dog"]  # after a pause the past counts little


def test_averages_are_those_of_the_definition() -> None:
    tau, margin = 1.5, 0.0
    labeller = Labeller(ALL, LabelConfig(smoothing="exponential", smoothing_s=tau, margin=margin))
    rng = np.random.default_rng(0)
    mean = None
    for i in range(50):
        e = embedding(0.5 * i, *rng.random(3))
        scores = ALL.scores(e.vector).astype(float)
        weight = 1 - math.exp(-0.5 / tau)
        mean = scores if mean is None else (1 - weight) * mean + weight * scores
        assert labeller.record(e).label == ALL.labels[int(mean.argmax())]


def test_the_majority_of_the_last_seconds_rules() -> None:
    config = LabelConfig(smoothing="majority", smoothing_s=2.0)
    assert shown(Labeller(PETS, config), 0, 0, 1, 0, 1, 1, 1) == ["cat"] * 5 + ["dog", "dog"]
    tied = Labeller(ALL, LabelConfig(smoothing="majority", smoothing_s=1.0))
    three = [tied.record(embedding(i / 2, *np.eye(3)[c])).label for i, c in enumerate([2, 0, 1])]
    assert three == ["bird", "bird", "dog"]  # of equals, the one shown and then the newest
    held = LabelConfig(smoothing="majority", smoothing_s=2.0, margin=0.5)
    assert shown(Labeller(PETS, held), 0, 0, 1, 0, 1, 1, 1, 1) == ["cat"] * 7 + ["dog"]
    unsure = LabelConfig(smoothing="majority", smoothing_s=1.5, min_score=0.8)
    assert shown(Labeller(PETS, unsure), 0, 0.5, 0, 0.5) == ["cat"] * 3 + ["unknown"]


def test_streams_and_clock_resets_are_kept_apart() -> None:
    labeller = Labeller(PETS, LabelConfig(smoothing="majority", smoothing_s=100))
    for at_s in range(5):
        assert labeller.record(embedding(at_s, 1.0)).label == "cat"
        assert labeller.record(embedding(at_s, 0.0, 1.0, stream="mic")).label == "dog"
    assert labeller.record(embedding(2, 0.0, 1.0)).label == "dog"  # the clock was set back


def test_sets_are_switched_between_two_records() -> None:
    labeller = Labeller({"pets": PETS, "birds": classes("bird", "cat")})
    assert labeller.labels == ("cat", "dog", "bird")
    assert labeller.prompt_sets == {"pets": ("cat", "dog"), "birds": ("bird", "cat")}
    first = labeller.record(embedding(0, 0.1, 1.0, 0.9))
    assert labeller.in_use == first.prompt_set == "pets"
    labeller.use("birds")
    second = labeller.record(embedding(1, 0.1, 1.0, 0.9))
    assert (first.label, second.label, second.prompt_set) == ("dog", "bird", "birds")
    assert first.scores is not None
    assert second.scores is not None
    assert np.isnan(first.scores).tolist() == [False, False, True]
    assert np.isnan(second.scores).tolist() == [False, True, False]
    assert np.nansum(second.scores) == pytest.approx(1)


def test_a_switch_in_another_thread_leaves_no_gap_and_no_mixture() -> None:
    labeller = Labeller({"pets": PETS, "all": ALL})
    stop = Event()

    def switch() -> None:
        while not stop.is_set():
            labeller.use("all")
            labeller.use("pets")

    thread = Thread(target=switch)
    thread.start()
    records = [labeller.record(embedding(i, 0.1, 0.2, 1.0)) for i in range(300)]
    stop.set()
    thread.join()
    for record in records:
        assert record.scores is not None
        assert np.isnan(record.scores[2]) == (record.prompt_set == "pets")
        assert record.label == {"pets": "dog", "all": "bird"}[record.prompt_set]


def test_sets_can_be_added_and_replaced_while_it_runs() -> None:
    labeller = Labeller(None)
    labeller.add("pets", PETS)
    assert labeller.record(embedding(0, 1.0)).label is None
    labeller.use("pets")
    assert labeller.record(embedding(1, 1.0)).label == "cat"
    labeller.add("pets", classes("dog", "bird"))
    labeller.use("pets")
    assert labeller.record(embedding(2, 1.0, 0.1)).label == "dog"


def test_mistakes_are_named() -> None:
    with pytest.raises(InputError, match=r"no prompt set 'night'; there are: 'day'"):
        Labeller({"day": PETS}).use("night")
    unknown = classes("cat", "dog")
    unknown.labels = ("cat", "unknown")
    with pytest.raises(ConfigError, match=r"a class is called 'unknown'.*another name"):
        Labeller(unknown, LabelConfig(min_score=0.5))
    calibrated = worth(unknown_threshold=Threshold(cosine=0.8))
    with pytest.raises(ConfigError, match=r"or leave out min_score, min_cosine and thresholds"):
        Labeller(unknown, calibrated=calibrated)


@given(
    turns=st.lists(st.floats(0, 1), min_size=1, max_size=30),
    smoothing=st.sampled_from(["none", "exponential", "majority"]),
    margin=st.sampled_from([0.0, 0.3]),
    cut=st.integers(0, 30),
)
def test_labels_depend_on_the_embeddings_and_their_order_alone(
    turns: list[float], smoothing: Smoothing, margin: float, cut: int
) -> None:
    config = LabelConfig(smoothing=smoothing, margin=margin, min_score=0.6)
    whole = shown(Labeller(PETS, config), *turns)
    assert shown(Labeller(PETS, config), *turns) == whole
    assert shown(Labeller(PETS, config), *turns[:cut]) == whole[: len(turns[:cut])]
