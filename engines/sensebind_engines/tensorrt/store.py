# SPDX-License-Identifier: Apache-2.0
"""Building into the cache: each plan once, by one process at a time, whole or not at all."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from filelock import FileLock, Timeout

from sensebind.errors import SinkError
from sensebind.plans import (
    FORMAT,
    PLAN_NAME,
    RECORD_NAME,
    Plan,
    PlanRecord,
    encode_record,
    find_plan,
    place_of,
    plans_folder,
)
from sensebind.storage import acquire, atomic_folder, atomic_path, chosen_cache_folder
from sensebind_engines.tensorrt.build import build_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sensebind_engines.tensorrt.build import Built
    from sensebind_engines.tensorrt.encoders import Target
    from sensebind_engines.tensorrt.flavour import Flavour


class Kept(NamedTuple):
    """A plan, and whether it had to be built."""

    plan: Plan
    built: bool


def build_into_cache(
    flavour: Flavour,
    bundle: str,
    target: Target,
    *,
    force: bool = False,
    waiting: Callable[[], None] | None = None,
    advance: Callable[[float], None] | None = None,
) -> Kept:
    """The plan of a target: from the cache if it is there and unharmed, else built.

    Args:
        flavour: the installed TensorRT.
        bundle: name of the bundle, for the record.
        target: what to build.
        force: build it in any case.
        waiting: called once if another process is building the same plan.
        advance: told the share of the build done.

    Raises:
        BackendError: the build failed, or a plan that is there was changed.
        SinkError: the cache cannot be written.
    """
    with _alone(target, waiting):
        found = None if force else find_plan(target.key)
        if found is not None:
            found.check()
            return Kept(found, built=False)
        timing = plans_folder() / f"{flavour.name}-{flavour.version}-{target.key.sm}.timing"
        known = timing.read_bytes() if timing.is_file() else b""
        lengths = target.lengths
        built = build_plan(flavour, target.path, target.options, lengths, known, advance)
        if built.timing_cache and built.timing_cache != known:
            with _told(timing), atomic_path(timing) as temporary:
                temporary.write_bytes(built.timing_cache)
        return Kept(_store(bundle, target, built), built=True)


@contextmanager
def _alone(target: Target, waiting: Callable[[], None] | None) -> Iterator[None]:
    """Keep other processes from building the same plan."""
    place = place_of(target.key)
    lasting = chosen_cache_folder()
    if lasting is None or not place.is_relative_to(lasting):
        # Others make do with a folder that ends with the process; this took minutes to make.
        raise SinkError(
            f"the cache {lasting or 'of this user, who has no home folder,'} cannot be written, "
            "and a plan is to be kept; name another folder with SENSEBIND_CACHE"
        )
    with _told(place):
        place.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(place.with_suffix(".lock"))
    with _told(place):
        try:
            acquire(lock, timeout_s=0)
        except Timeout:
            if waiting is not None:
                waiting()
            acquire(lock)
    try:
        yield
    finally:
        lock.release()


def _store(bundle: str, target: Target, built: Built) -> Plan:
    place = place_of(target.key)
    with _told(place), atomic_folder(place, replace=True) as draft:
        (draft / PLAN_NAME).write_bytes(built.plan)
        record = PlanRecord(
            format=FORMAT,
            key=target.key,
            bundle=bundle,
            modality=target.modality,
            precision=target.options.precision,
            sha256=hashlib.sha256(built.plan).hexdigest(),
            bytes=len(built.plan),
            audit=built.audit,
            layers=built.layers,
            build_s=round(built.seconds, 3),
        )
        (draft / RECORD_NAME).write_bytes(encode_record(record))
    return Plan(place, record)


@contextmanager
def _told(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SinkError(
            f"the plan cannot be kept in {place.parent}: {error}; free space there, or name "
            "another folder with SENSEBIND_CACHE"
        ) from error
