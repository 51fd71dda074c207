# SPDX-License-Identifier: Apache-2.0
"""`sensebind engine build`: plans one after the other, with how far it is, in words or as JSON."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import typer

from sensebind.cli import output
from sensebind.errors import InputError
from sensebind.plans import find_plan
from sensebind_engines.tensorrt.memory import RESERVE_MIB, over_budget, shortage
from sensebind_engines.tensorrt.store import build_into_cache

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sensebind.cli.output import Advance
    from sensebind_engines.tensorrt.encoders import Target
    from sensebind_engines.tensorrt.flavour import Flavour
    from sensebind_engines.tensorrt.store import Kept

_FREE = "free"


def build_plans(
    flavour: Flavour,
    bundle: str,
    targets: Sequence[Target],
    *,
    force: bool,
    memory: str | None,
    as_json: bool,
) -> None:
    """Build what is missing; end with 1 if something was not begun for want of memory.

    Args:
        flavour: which TensorRT.
        bundle: its name.
        targets: what is to be built.
        force: build what is there already, too.
        memory: as `--memory`.
        as_json: tell all as lines of JSON.

    Raises:
        BackendError, SinkError: as `build_into_cache`.
        InputError: if `memory` is no amount of it.
    """
    refuses, budget_mib = memory is not None, _budget_mib(memory)
    refused = False
    for target in targets:
        if force or find_plan(target.key) is None:
            why = over_budget(target, budget_mib) if refuses else None
            if why is not None:
                output.error(why)
                refused = True
                continue
            if (short := shortage(target)) is not None:
                output.warning(short)
        kept = _built(flavour, bundle, target, force=force, as_json=as_json)
        (_show if as_json else _tell)(target, kept)
    if flavour.is_rtx and not as_json:
        generations = ", ".join(targets[0].options.compute_capabilities)
        typer.echo(f"for GPU generations {generations}; speed and accuracy: NOT RUN here")
    if refused:
        raise typer.Exit(1)


def _budget_mib(memory: str | None) -> int | None:
    """The amount that was given; None for what is free."""
    if memory in (None, _FREE):
        return None
    if memory is None or not memory.isdecimal() or int(memory) == 0:
        raise InputError(
            f"--memory is {memory!r}, expected a number of MiB, or {_FREE}: what is free less "
            f"{RESERVE_MIB} MiB"
        )
    return int(memory)


def _built(flavour: Flavour, bundle: str, target: Target, *, force: bool, as_json: bool) -> Kept:
    told = f"building {target.modality} {target.options.precision}"
    with output.progress(told, shown=not as_json) as advance:
        return build_into_cache(
            flavour,
            bundle,
            target,
            force=force,
            waiting=partial(_show_waiting, target, as_json=as_json),
            advance=_shown_share(target) if as_json else advance,
        )


def _tell(target: Target, kept: Kept) -> None:
    record = kept.plan.record
    how = f"built in {record.build_s:.1f} s" if kept.built else "there already"
    typer.echo(
        f"{target.modality} {target.options.precision}: {how}, {record.bytes / 1e6:.2f} MB, "
        f"{record.layers} layers"
    )
    for kind, types in record.audit.items():
        typer.echo(f"  {kind}: {', '.join(f'{n} {t}' for t, n in types.items())}")


def _show(target: Target, kept: Kept) -> None:
    record = kept.plan.record
    output.show_json(
        {
            "modality": target.modality.value,
            "precision": record.precision,
            "built": kept.built,
            "build_s": record.build_s,
            "bytes": record.bytes,
            "layers": record.layers,
            "types": record.audit,
        }
    )


def _shown_share(target: Target) -> Advance:
    """Takes the share done, and tells each percent."""
    told = -1

    def advance(share: float) -> None:
        nonlocal told
        if int(100 * share) <= told:
            return
        told = int(100 * share)
        try:
            output.show_json({"modality": target.modality.value, "share": told / 100})
        except BrokenPipeError:  # who asked is gone; this is what TensorRT is ended by
            raise KeyboardInterrupt from None

    return advance


def _show_waiting(target: Target, *, as_json: bool) -> None:
    output.warning("another process builds this plan; waiting for it")
    if as_json:
        output.show_json({"modality": target.modality.value, "waiting": True})
