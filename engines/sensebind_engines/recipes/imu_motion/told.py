# SPDX-License-Identifier: Apache-2.0
"""Sentences of the figures: what the encoder is, what was chosen on what, what limits it."""

from __future__ import annotations

SUMMARY = (
    "The encoder was trained against texts of its seven classes, so this is supervised "
    "classification behind text, nothing that emerged. Every window comes from a rigid-body "
    "simulation with an assumed drive vibration and an assumed IMU; transfer to a real robot is "
    "not known. Windows of 2 s, each given the class whose mean prompt embedding is nearest."
)

_BEFORE = """\
The simulation's constants, the classes' rules and all splits were fixed and committed before the \
first training run; nothing was changed after a figure of test or shift."""
_RULES = """\
Classes follow from measured quantities, with no margin between them: smooth and rough by the RMS \
of vertical vibration below 40 Hz (0.5 m/s^2), a collision by the force on the chassis (20 N), \
fallen by the tilt (60 degrees), still by the movement (2 cm), spin by the radius of the path \
(20 cm)."""
_DEV = """\
On dev, whose floors, robots and IMUs are neither training's nor shift's: one of two sets of \
augmentation, steps and averaging of the weights, and the ridge of the baseline."""
_SPECTRA = """\
Spectra of robots that stand, drive and spin on a plane or lie there were looked at before \
training. Two traces of the simulation were mended, a chattering contact of robots on their backs \
and wheels that rolled down slopes; a test keeps it so."""
CHOICES = (_BEFORE, _RULES, _DEV, _SPECTRA)

_SCOPE = """\
Seven scripted behaviours of one kind of robot; stairs, slopes above 8 degrees, arms, legs and \
outdoor vehicles are not among them."""
_LEFT_OUT = """\
Windows that do not do what their script says (mostly collisions that did not happen) are in no \
figure."""
_WORDS = """\
Prompts of the figures are three paraphrases per class that were not trained with; how they are \
worded matters, as the figure with single prompts shows."""
LIMITS = (_SCOPE, _LEFT_OUT, _WORDS)

FAILURES_RULE = (
    "Of the shifted windows the shipped encoder named wrongly, the one per episode and class with "
    "the largest lead of the wrong class's cosine; the largest of them."
)
