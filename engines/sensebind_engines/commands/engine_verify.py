# SPDX-License-Identifier: Apache-2.0
"""`sensebind engine verify`: plans against their records and against the golden vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from sensebind.backends.tensorrt.choice import all_fitting
from sensebind.backends.tensorrt.library import open_library
from sensebind.bundle_folder import open_bundle
from sensebind.cli import output
from sensebind.cli.report_text import counted
from sensebind.errors import BackendError
from sensebind.plan_request import plan_request
from sensebind.plans import all_plans
from sensebind_engines.tensorrt.verify import verify_plan

if TYPE_CHECKING:
    from sensebind.backends.tensorrt.choice import PlanRequest
    from sensebind.backends.tensorrt.engine import TensorRtEngine
    from sensebind.gpu import Gpu
    from sensebind.plans import Plan
    from sensebind.types import Modality


def verify_bytes() -> None:
    """See that the bytes of every plan are those that were built; end with 1 if some are not."""
    plans, damaged = all_plans()
    damaged += [told for plan in plans if (told := plan.damage()) is not None]
    for sentence in damaged:
        output.error(sentence)
    typer.echo(f"{counted(len(plans), 'plan')}, {len(damaged)} damaged")
    if damaged:
        raise typer.Exit(1)


def verify_vectors(bundle: str, backend: str, modalities: list[Modality] | None, gpu: Gpu) -> None:
    """Run every plan that fits on the golden rows and tell how each compares.

    Raises:
        BackendError: a plan that was asked for is not there, or there is none at all.
    """
    folder, library = open_bundle(bundle), open_library(backend)
    lacking: list[BackendError] = []
    verdicts: list[bool] = []
    for modality in modalities or list(folder.manifest.encoders):
        request = plan_request(folder, modality)
        try:
            plans = all_fitting(request._replace(least_cosine=-1.0), library, gpu)
        except BackendError as error:
            lacking.append(error)
            continue
        for plan in plans:
            typer.echo(f"{modality} {plan.record.precision} on {gpu.name}")
            verified, engine = verify_plan(library, folder, plan)
            verdicts.append(_tell_verdict(verified, engine, request, backend))
    if lacking and (modalities or not verdicts):
        raise lacking[0]
    for absence in lacking:  # a robot need not have plans of all senses
        output.warning(str(absence))
    if not all(verdicts):
        raise typer.Exit(1)


def _tell_verdict(plan: Plan, engine: TensorRtEngine, request: PlanRequest, backend: str) -> bool:
    """Print how a plan compares; whether that is good enough."""
    seen = plan.record.verified
    assert seen is not None
    typer.echo(
        f"  cosine of {seen.rows} rows to the golden FP32 vectors: least {seen.least_cosine:.6f}, "
        f"p1 {seen.p1_cosine:.6f}, mean {seen.mean_cosine:.6f}\n"
        f"  {seen.runs} runs at batch 1: p50 {seen.p50_ms:.3f} ms, p95 {seen.p95_ms:.3f} ms, "
        f"p99 {seen.p99_ms:.3f} ms\n"
        f"  CUDA graphs {'on' if engine.graphs_off is None else f'off: {engine.graphs_off}'}; "
        f"features and vectors {'shared with the GPU' if engine.zero_copy else 'copied'}"
    )
    if seen.least_cosine >= request.least_cosine:
        return True
    instead = (
        f"build another with: {request.build_command(backend)} --precision fp32"
        if plan.record.precision == "fp16"
        else "run this encoder with --backend onnxruntime"
    )
    output.error(
        f"the bundle asks for a cosine of {request.least_cosine:g}: this plan will be refused; "
        f"{instead}"
    )
    return False
