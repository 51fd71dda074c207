# SPDX-License-Identifier: Apache-2.0
"""Prototypes, scores and the ways to write prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from sensebind.bundle import Bundle
from sensebind.errors import InputError
from sensebind.zero_shot import ZeroShot, parse_prompts, prompts_sha256

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CLASSES = {"alarm": ["a loud alarm", "alarm"], "cat": ["a cat"], "ramp": ["driving on a ramp"]}


@pytest.fixture
def bundle(bundle_folder: Path) -> Iterator[Bundle]:
    with Bundle.load(bundle_folder) as loaded:
        yield loaded


def test_prototypes_are_normalised_means(bundle: Bundle) -> None:
    zero_shot = ZeroShot(bundle, CLASSES)
    assert zero_shot.labels == ("alarm", "cat", "ramp")
    mean = bundle.encode_text(CLASSES["alarm"]).mean(axis=0)
    np.testing.assert_allclose(zero_shot.prototypes[0], mean / np.linalg.norm(mean), atol=1e-6)
    np.testing.assert_allclose(zero_shot.prototypes[1], bundle.encode_text(["a cat"])[0], atol=1e-7)


def test_scores_are_a_softmax_over_cosines(bundle: Bundle) -> None:
    zero_shot = ZeroShot(bundle, CLASSES, temperature=0.2)
    vectors = bundle.encode_text(["a cat", "a ramp", "green door"])
    scores = zero_shot.scores(vectors)
    logits = (vectors @ zero_shot.prototypes.T) / 0.2
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, rtol=1e-5)
    np.testing.assert_allclose(scores.sum(axis=1), 1.0, rtol=1e-6)
    np.testing.assert_allclose(zero_shot.scores(vectors[0]), scores[0])


def test_a_prompt_is_its_own_best_class(bundle: Bundle) -> None:
    zero_shot = ZeroShot(bundle, CLASSES)
    label, score = zero_shot.best(bundle.encode_text(["driving on a ramp"])[0])
    assert label == "ramp"
    assert score == zero_shot.scores(bundle.encode_text(["driving on a ramp"]))[0, 2]


def test_small_temperatures_do_not_overflow(bundle: Bundle) -> None:
    scores = ZeroShot(bundle, CLASSES, temperature=1e-6).scores(bundle.encode_text(["a cat"]))
    np.testing.assert_allclose(scores, [[0, 1, 0]], atol=1e-6)


def test_bad_arguments_are_named(bundle: Bundle) -> None:
    with pytest.raises(InputError, match=r"compares classes, 1 were given \(cat\)"):
        ZeroShot(bundle, {"cat": ["a cat"]})
    with pytest.raises(InputError, match=r"class 'dog' has prompts 'a dog', expected a list"):
        ZeroShot(bundle, {"cat": ["a cat"], "dog": "a dog"})
    with pytest.raises(InputError, match="temperature is 0, expected a finite number above 0"):
        ZeroShot(bundle, CLASSES, temperature=0)
    with pytest.raises(InputError, match="a text is '  ', expected at least one word"):
        ZeroShot(bundle, {"cat": ["a cat"], "dog": ["  "]})
    zero_shot = ZeroShot(bundle, CLASSES)
    with pytest.raises(InputError, match=r"shape \(2, 5\), expected \(n, 32\)"):
        zero_shot.scores(np.zeros((2, 5), np.float32))
    with pytest.raises(InputError, match=r"one vector \(dim,\), got shape \(1, 32\)"):
        zero_shot.best(np.zeros((1, 32), np.float32))


def test_names_are_their_own_prompts() -> None:
    assert parse_prompts("a cat, a dog") == {"a cat": ["a cat"], "a dog": ["a dog"]}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.json", '{"cat": ["a cat", "one cat"], "dog": ["a dog"]}'),
        ("p.toml", 'cat = ["a cat", "one cat"]\ndog = ["a dog"]\n'),
        ("p.txt", "# animals\ncat: a cat; one cat\n\ndog: a dog\n"),
    ],
)
def test_files_hold_classes_with_prompts(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    found = parse_prompts(str(tmp_path / name))
    assert found == {"cat": ["a cat", "one cat"], "dog": ["a dog"]}
    assert list(found) == ["cat", "dog"]


@pytest.mark.parametrize(("name", "content"), [("p.json", '["cat", "dog"]'), ("p.txt", "cat\ndog")])
def test_files_hold_plain_names(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    assert parse_prompts(str(tmp_path / name)) == {"cat": ["cat"], "dog": ["dog"]}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.json", "{", r"p.json is not JSON: .* line 1"),
        ("p.json", "3", r"p.json holds 3, expected \{class"),
        ("p.json", '{"cat": "a cat"}', r"class 'cat' has 'a cat', expected a list of texts"),
        ("p.json", '{"cat": []}', r"class 'cat' has \[\], expected a list of texts"),
        ("p.json", '{"cat": ["a"], "cat": ["b"]}', r"class 'cat' is given twice"),
        ("p.json", '["cat", 3]', r"3 is not a class name"),
        ("p.toml", "cat =", r"p.toml is not TOML: Invalid value"),
        ("p.toml", "cat = " + "[" * 9999, r"p.toml is not TOML: .*(recursion|nested)"),
        ("p.toml", "cat = [1]", r"class 'cat' has \[1\], expected a list of texts"),
        ("p.txt", "cat\ncat", r"p.txt, line 2: class 'cat' is given twice"),
        ("p.txt", "cat: ;", r"p.txt, line 1: 'cat: ;', expected 'class: prompt; prompt'"),
        ("p.txt", "# nothing\n", r"p.txt has no prompts"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message):
        parse_prompts(str(tmp_path / name))


def test_missing_and_undecodable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read the prompts in .*none.json"):
        parse_prompts(str(tmp_path / "none.json"))
    (tmp_path / "names.csv").write_text("cat")
    with pytest.raises(
        InputError, match=r"names.csv is no prompt file; expected .json, .toml, .txt"
    ):
        parse_prompts(str(tmp_path / "names.csv"))
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(InputError, match=r"cannot read the prompts in .*bad.txt"):
        parse_prompts(str(tmp_path / "bad.txt"))


@pytest.mark.parametrize("text", ["", "cat,,dog", "cat,cat"])
def test_bad_lists_are_named(text: str) -> None:
    with pytest.raises(InputError, match=r"is not a class name|is given twice"):
        parse_prompts(text)


def test_prompt_sets_are_told_apart() -> None:
    known = prompts_sha256(CLASSES)
    assert len(known) == 64
    assert prompts_sha256({name: tuple(texts) for name, texts in CLASSES.items()}) == known
    for other in (
        dict(reversed(CLASSES.items())),
        {**CLASSES, "cat": ["the cat"]},
        {**CLASSES, "alarm": ["alarm", "a loud alarm"]},
    ):
        assert prompts_sha256(other) != known
