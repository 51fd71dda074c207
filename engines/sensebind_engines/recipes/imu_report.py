# SPDX-License-Identifier: Apache-2.0
"""EVALUATION.md of the demo bundle, written from the measured figures and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensebind_engines.recipes.imu_evaluation import (
    CHANCE,
    EVALUATED_SPLITS,
    NOISY_M_S2,
    NOISY_RAD_S,
    Figures,
)
from sensebind_engines.recipes.simulation.labels import (
    CLASSES,
    ROUGH_MIN_M_S2,
    UNSEEN_CLASS,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sensebind_engines.recipes.imu_evaluation import SeedFigures

_SPLIT_TEXT = {
    "train": "train (seen)",
    "dev": "dev (for choices; dev paraphrases)",
    "test": "test (unseen seeds, same ranges)",
    "shift": "shift (robots out of range, unseen floors, pushable obstacles)",
}

_INDEPENDENCE_NOTE = """\
- Neither the sample recording nor a real ADIS16405 at rest is an independent test of this
  encoder: one trained with more noise had named the recording's smooth rides 'still', one
  trained with less had named the sensor at rest otherwise; the noise added in training was
  then chosen among what MEMS parts have, by dev windows with and without added noise.
- The figures of shift had been seen once before a fault in the start poses of its obstacles
  was mended and its episodes were made anew; nothing was chosen by them.
"""


def evaluation_text(figures: Figures, anchor: Mapping[str, float]) -> str:
    """The whole of EVALUATION.md.

    Args:
        figures: what `imu_evaluation` measured.
        anchor: figures of `anchor.build_anchor`.
    """
    return "\n".join(
        [
            "# Evaluation of the demo bundle",
            "",
            *_imu_head(figures),
            *_split_table(figures),
            *_recall_table(figures),
            *_limits(figures),
            *_anchor(anchor),
        ]
    )


def _imu_head(figures: Figures) -> Iterable[str]:
    seeds = ", ".join(str(seed["seed"]) for seed in figures["seeds"])
    first = figures["seeds"][0]["seed"]
    yield from [
        "## IMU: TEXT-BOUND, SIMULATED",
        "",
        "Text-bound: the encoder was trained against text embeddings of its seven classes, so this",
        "is supervised classification behind text, nothing that emerged. Simulated: every window",
        "comes from a rigid-body simulation with an assumed drive vibration and an assumed IMU;",
        "nothing here was measured on a robot, and transfer to one is not known.",
        "",
        f"Classes: {', '.join(CLASSES)}. Chance {CHANCE:.3f}.",
        "Windows of 2.0 s at 200 Hz from an IMU at 400 Hz, each inside one behaviour. A window is",
        "given the class whose mean prompt embedding is nearest (text tower as shipped). Prompts",
        "are three paraphrases per class that were not used in training.",
        "Smooth and rough are told apart by the measured ride: vertical vibration of at most",
        f"{ROUGH_MIN_M_S2} or at least {ROUGH_MIN_M_S2} m/s^2 RMS; windows between are left out",
        "(counted below). The rule was fixed before training; test and shift served no choice.",
        "Windows of one episode are not independent: the number of episodes is the one to trust.",
        "",
        f"Training seeds: {seeds}; the shipped encoder is seed {first}. Cells: mean over the seeds",
        "(lowest to highest).",
        "",
    ]


def _split_table(figures: Figures) -> Iterable[str]:
    yield "| split | windows | episodes | accuracy | balanced accuracy | baseline, balanced |"
    yield "|---|---|---|---|---|---|"
    for split in EVALUATED_SPLITS:
        scores = [seed["splits"][split] for seed in figures["seeds"]]
        cells = [
            _SPLIT_TEXT[split],
            str(scores[0]["windows"]),
            str(scores[0]["episodes"]),
            _spread([score["accuracy"] for score in scores]),
            _spread([score["balanced"] for score in scores]),
            f"{figures['baseline'][split]['balanced']:.3f}",
        ]
        yield _row(cells)
    yield from [
        "",
        "Baseline: logistic regression on 18 statistics of a window (mean, spread and peak of each",
        "channel), no text. An accuracy near 1 says that the simulated task is easy.",
        "",
    ]


def _recall_table(figures: Figures) -> Iterable[str]:
    yield "Recall per class:"
    yield ""
    yield _row(["split", *CLASSES])
    yield _row(["---"] * (len(CLASSES) + 1))
    for split in ("test", "shift"):
        recalls = [seed["splits"][split]["recall"] for seed in figures["seeds"]]
        yield _row([split, *(_spread([recall[label] for recall in recalls]) for label in CLASSES)])
    for split in ("test", "shift"):
        recall = figures["baseline"][split]["recall"]
        yield _row([f"{split}, baseline", *(f"{recall[label]:.3f}" for label in CLASSES)])
    yield ""
    yield "Balanced accuracy in other conditions:"
    yield ""
    yield _row(["condition", "test", "shift"])
    yield _row(["---"] * 3)
    for name, values in _conditions(figures["seeds"]):
        yield _row([name, *(_spread(values[split]) for split in ("test", "shift"))])
    yield ""


def _conditions(
    seeds: Sequence[SeedFigures],
) -> Iterable[tuple[str, dict[str, list[float]]]]:
    splits = ("test", "shift")
    for rate_hz in seeds[0]["input_rates"]["test"]:
        yield (
            f"IMU at {rate_hz} Hz",
            {s: [seed["input_rates"][s][rate_hz] for seed in seeds] for s in splits},
        )
    yield (
        f"IMU at 400 Hz with white noise of {NOISY_M_S2} m/s^2 and {NOISY_RAD_S} rad/s",
        {s: [seed["noisy_imu"][s] for seed in seeds] for s in splits},
    )
    yield (
        "one unseen prompt per class instead of three",
        {s: [value for seed in seeds for value in seed["single_prompt"][s]] for s in splits},
    )
    yield (
        "the training prompts",
        {s: [seed["train_prompts"][s] for seed in seeds] for s in splits},
    )
    yield (
        "the demo's prompts (`prompts.json`; not used in training)",
        {s: [seed["demo_prompts"][s] for seed in seeds] for s in splits},
    )


def _limits(figures: Figures) -> Iterable[str]:
    seeds, unseen, border = figures["seeds"], figures["unseen"], figures["borderline"]
    recall, smooth = (
        {split: _spread([seed[figure][split] for seed in seeds]) for split in ("test", "shift")}
        for figure in ("unseen_recall", "borderline_smooth")
    )
    named = ", ".join(f"{name} {count}" for name, count in seeds[0]["unseen_named"]["test"].items())
    yield from [
        "### Limits",
        "",
        f"- A class it was not taught is not recognised: '{UNSEEN_CLASS}' offered as an eighth",
        f"  class has recall {recall['test']} on test (n = {unseen['test']}) and",
        f"  {recall['shift']} on shift (n = {unseen['shift']}). The first seed named the",
        f"  test windows: {named}.",
        f"- Windows between smooth and rough, in no figure above: {border['test']} on test,",
        f"  {border['shift']} on shift; share named smooth {smooth['test']} and",
        f"  {smooth['shift']}.",
        "- Windows dropped because the measurement did not confirm the script (mostly bump windows",
        f"  without an impact): {_counts(figures['dropped'])}.",
        "- Windows that straddle two behaviours are in no figure.",
        *_INDEPENDENCE_NOTE.splitlines(),
        "- Seven scripted behaviours of one kind of robot; stairs, ramps steeper than 5 degrees,",
        "  people, arms, legs and outdoor vehicles are not among them.",
        "",
    ]


def _anchor(anchor: Mapping[str, float]) -> Iterable[str]:
    yield from [
        "## Vision and text: the frozen anchor",
        "",
        "EfficientNet-Lite0, its ten most likely ImageNet classes averaged in MiniLM's text space",
        "(ConSE): it knows 1000 nouns, no actions and few scenes. Nothing was trained here.",
        "What FP16 (vision) and INT8 (text) weights changed:",
        "",
        _row(["figure", "value"]),
        _row(["---"] * 2),
    ]
    for name, value in sorted(anchor.items()):
        yield _row([name.replace("_", " "), f"{value:.2g}" if value < 1e-3 else f"{value:.6f}"])
    yield ""


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{split} {count}" for split, count in counts.items())


def _spread(values: Sequence[float]) -> str:
    mean = sum(values) / len(values)
    return f"{mean:.3f} ({min(values):.3f} to {max(values):.3f})"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
