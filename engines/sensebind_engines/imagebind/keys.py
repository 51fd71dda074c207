# SPDX-License-Identifier: Apache-2.0
"""What a checkpoint lacks, has too much of, or has in another shape, in a few lines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from sensebind.errors import InputError
from sensebind_engines.imagebind.layout import modality_of, tower_extras, tower_weights

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from torch import Tensor

    from sensebind.types import Modality

_LINES_PER_KIND = 6
_BLOCK = re.compile(r"\.blocks\.(\d+)\.")


class KeyReport(NamedTuple):
    """The difference between a checkpoint and the towers asked of it.

    Attributes:
        missing: names that a tower needs.
        unexpected: names of a tower asked for that it does not have, and names of no tower at all.
        shapes: names whose shape is another, with "found, expected".
    """

    missing: list[str]
    unexpected: list[str]
    shapes: dict[str, str]

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected or self.shapes)


def compare_keys(
    shapes: Mapping[str, tuple[int, ...]], modalities: Iterable[Modality]
) -> KeyReport:
    """Hold names and shapes of a checkpoint against the towers of `modalities`."""
    wanted: dict[str, tuple[int, ...]] = {}
    optional: dict[str, tuple[int, ...]] = {}
    towers = tuple(modalities)
    for modality in towers:
        wanted |= {weight.theirs: weight.shape for weight in tower_weights(modality)}
        optional |= tower_extras(modality)
    known = wanted | optional
    unexpected = [
        name
        for name in shapes
        if name not in known and (modality_of(name) in towers or modality_of(name) is None)
    ]
    differing = {
        name: f"{list(shapes[name])}, expected {list(shape)}"
        for name, shape in known.items()
        if name in shapes and shapes[name] != shape
    }
    return KeyReport([name for name in wanted if name not in shapes], unexpected, differing)


def require_towers(path: Path, state: Mapping[str, Tensor], modalities: Iterable[Modality]) -> None:
    """Refuse a checkpoint that is not exactly the towers asked of it.

    Raises:
        InputError: with the report, grouped by tower and blocks, and the towers that are whole.
    """
    towers = tuple(modalities)
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    report = compare_keys(shapes, towers)
    if not report:
        return
    lines = [f"{str(path)!r} does not hold ImageBind's {_listed(towers)} exactly:"]
    lines += _section("missing", report.missing)
    lines += _section("unexpected", report.unexpected)
    lines += _section("of another shape", [f"{n}: {s}" for n, s in report.shapes.items()])
    whole = [m for m in towers if not compare_keys(shapes, [m])]
    lines.append(
        f"whole are: {_listed(whole)}; import these alone with --modality"
        if whole
        else "no tower is whole; expected the state dict of imagebind_huge.pth"
    )
    raise InputError("\n".join(lines))


def _listed(modalities: Iterable[Modality]) -> str:
    return ", ".join(modality.value for modality in modalities)


def _section(title: str, names: list[str]) -> list[str]:
    """At most a few lines, blocks of one tower in one."""
    if not names:
        return []
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(_BLOCK.sub(".blocks.*.", name).partition(".blocks.")[0], []).append(name)
    lines = [_group(prefix, members) for prefix, members in groups.items()]
    more = len(lines) - _LINES_PER_KIND
    shown = lines[:_LINES_PER_KIND] + ([f"    and {more} more groups"] if more > 0 else [])
    return [f"  {len(names)} {title}:", *shown]


def _group(prefix: str, members: list[str]) -> str:
    blocks = sorted({int(found[1]) for name in members if (found := _BLOCK.search(name))})
    if not blocks:
        return f"    {members[0]}"
    example = f" (as {members[0].partition('.blocks.')[2]})" if ":" in members[0] else ""
    return f"    {prefix}.blocks.{_ranges(blocks)}: {len(members)} tensors{example}"


def _ranges(numbers: list[int]) -> str:
    """Sorted numbers as "2-5,9"."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ",".join(str(p[0]) if len(p) == 1 else f"{p[0]}-{p[-1]}" for p in parts)
