# SPDX-License-Identifier: Apache-2.0
"""`sensebind engine`: plans of a bundle's encoders, compiled on the machine that runs them."""

from typing import TYPE_CHECKING, Annotated, NamedTuple, cast, get_args

import typer

from sensebind.errors import ConfigError, InputError
from sensebind.types import Modality

if TYPE_CHECKING:
    from sensebind.gpu import Gpu
    from sensebind_engines.tensorrt.encoders import Target
    from sensebind_engines.tensorrt.flavour import Flavour
    from sensebind_engines.tensorrt.options import BuildOptions

engine_app = typer.Typer(
    help="Build and look after TensorRT plans of a bundle's encoders.", add_completion=False
)

BundleArgument = Annotated[str, typer.Argument(metavar="[BUNDLE]", help="Name or folder.")]
BackendOption = Annotated[
    str, typer.Option("--backend", metavar="tensorrt|tensorrt-rtx", help="Which TensorRT.")
]
ModalityOption = Annotated[
    list[Modality] | None,
    typer.Option("--modality", help="Only these; may be repeated. All by default."),
]
PrecisionOption = Annotated[
    str,
    typer.Option(
        "--precision", metavar="auto|fp16|fp32", help="auto: fp16 where the bundle has it."
    ),
]
BatchOption = Annotated[
    str, typer.Option("--batch", metavar="LEAST,BEST,LARGEST", help="Batches the plans take.")
]
WorkspaceOption = Annotated[
    int, typer.Option("--workspace", metavar="MIB", help="Memory kernels may use.")
]
LevelOption = Annotated[
    int, typer.Option("--level", metavar="0-5", help="How long to look for faster kernels.")
]
CapabilityOption = Annotated[
    list[str] | None,
    typer.Option(
        "--compute-capability", metavar="NN", help="TensorRT-RTX: build for this GPU generation."
    ),
]
HardwareOption = Annotated[
    str,
    typer.Option(
        "--hardware",
        metavar="none|ampere_plus|same_compute_capability",
        help="Which other GPUs run the plan too, at some cost in speed.",
    ),
]
VersionOption = Annotated[
    bool,
    typer.Option("--version-compatible", help="Later versions of TensorRT run the plan too."),
]
MemoryOption = Annotated[
    str | None,
    typer.Option(
        "--memory",
        metavar="MIB|free",
        help="Begin nothing that may take more; free: than what is free, less 512 MiB.",
    ),
]


@engine_app.command()
def build(
    bundle: BundleArgument = "demo",
    backend: BackendOption = "tensorrt",
    modality: ModalityOption = None,
    precision: PrecisionOption = "auto",
    batch: BatchOption = "1,1,8",
    workspace: WorkspaceOption = 1024,
    level: LevelOption = 3,
    compute_capability: CapabilityOption = None,
    hardware: HardwareOption = "none",
    version_compatible: VersionOption = False,
    force: Annotated[bool, typer.Option("--force", help="Build what is there already.")] = False,
    memory: MemoryOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Tell progress and plans as lines of JSON.")
    ] = False,
) -> None:
    """Build the plans that are missing, one after the other (minutes on a board)."""
    from sensebind_engines.commands.engine_build import build_plans

    asked = _Asked(
        backend, modality, precision, batch, workspace, level, compute_capability, hardware,
        version_compatible,
    )  # fmt: skip
    name, flavour, targets = _targets(bundle, asked)
    build_plans(flavour, name, targets, force=force, memory=memory, as_json=as_json)


@engine_app.command("list")
def list_plans() -> None:
    """List the plans of this user."""
    from sensebind.cli import output
    from sensebind.plans import all_plans, plans_folder

    plans, damaged = all_plans()
    for sentence in damaged:
        output.warning(sentence)
    if not plans:
        typer.echo(f"no plans in {plans_folder()}; build some with: sensebind engine build")
        return
    rows = []
    for plan in plans:
        record, key = plan.record, plan.record.key
        seen = record.verified
        cosine = "not verified" if seen is None else f"{seen.least_cosine:.5f}"
        where = key.gpu or f"SM {', '.join(cast('list[str]', key.options['compute_capabilities']))}"
        rows.append([
            record.bundle, record.modality.value, record.precision, f"{record.bytes / 1e6:.2f}",
            f"{key.backend} {key.version}", where, cosine, plan.folder.name[:12],
        ])  # fmt: skip
    headers = ["bundle", "modality", "precision", "MB", "built by", "for", "cosine", "plan"]
    typer.echo(output.table(headers, rows))


@engine_app.command()
def explain(
    bundle: BundleArgument = "demo",
    backend: BackendOption = "tensorrt",
    modality: ModalityOption = None,
    precision: PrecisionOption = "auto",
    batch: BatchOption = "1,1,8",
    workspace: WorkspaceOption = 1024,
    level: LevelOption = 3,
    compute_capability: CapabilityOption = None,
    hardware: HardwareOption = "none",
    version_compatible: VersionOption = False,
) -> None:
    """Say for each encoder which plan would be used, or why those that are there do not fit."""
    from sensebind.plans import all_plans, differences, find_plan

    asked = _Asked(
        backend, modality, precision, batch, workspace, level, compute_capability, hardware,
        version_compatible,
    )  # fmt: skip
    name, _, targets = _targets(bundle, asked)
    plans, _ = all_plans()
    for target in targets:
        found = find_plan(target.key)
        if found is not None:
            found.check()
            typer.echo(f"{target.modality}: {found.path}, unharmed")
            continue
        typer.echo(f"{target.modality}: no plan fits")
        for plan in plans:
            if (plan.record.bundle, plan.record.modality) == (name, target.modality):
                reasons = "; ".join(differences(target.key, plan.record))
                typer.echo(f"  {plan.folder.name[:12]} does not: {reasons}")


@engine_app.command()
def verify(
    bundle: Annotated[
        str | None, typer.Argument(metavar="[BUNDLE]", help="Name or folder; none: bytes alone.")
    ] = None,
    backend: BackendOption = "tensorrt",
    modality: ModalityOption = None,
) -> None:
    """Run a bundle's plans on its golden rows, on this GPU, and note how they compare.

    Without a bundle: see that the bytes of every plan are those that were built.
    """
    from sensebind_engines.commands.engine_verify import verify_bytes, verify_vectors

    if bundle is not None:
        gpu = _gpu_at_hand("plans are verified on the GPU that runs them")
        verify_vectors(bundle, backend, modality, gpu)
    elif modality:
        raise InputError("--modality chooses among a bundle's plans; name the bundle, too")
    else:
        verify_bytes()


def _gpu_at_hand(what: str) -> "Gpu":
    from sensebind.gpu import find_gpu

    gpu = find_gpu()
    if not gpu.name:
        raise InputError(
            f"{what}, and no GPU or driver was found here; run this on the robot, see that "
            "nvidia-smi or (Jetson) tegrastats works, and in a container pass --runtime nvidia"
        )
    return gpu


class _Asked(NamedTuple):
    """The options that say what is to be built."""

    backend: str
    modalities: list[Modality] | None
    precision: str
    batch: str
    workspace_mib: int
    level: int
    capabilities: list[str] | None
    hardware: str
    version_compatible: bool


def _targets(bundle: str, asked: _Asked) -> tuple[str, "Flavour", "list[Target]"]:
    from sensebind.bundle_folder import open_bundle
    from sensebind.gpu import find_gpu
    from sensebind_engines.tensorrt.encoders import Asked, target_of
    from sensebind_engines.tensorrt.flavour import open_flavour

    if asked.precision not in get_args(Asked):
        raise InputError(f"--precision is {asked.precision!r}, expected auto, fp16 or fp32")
    options = _options(asked)
    flavour, folder = open_flavour(asked.backend), open_bundle(bundle)
    if flavour.is_rtx:
        gpu = find_gpu()
    else:
        gpu = _gpu_at_hand("TensorRT builds plans on the GPU that runs them")
    wanted = asked.modalities or list(folder.manifest.encoders)
    precision = cast("Asked", asked.precision)
    targets = [target_of(folder, m, flavour, gpu, options, precision) for m in wanted]
    return folder.manifest.name, flavour, targets


def _options(asked: _Asked) -> "BuildOptions":
    import msgspec

    from sensebind_engines.tensorrt.options import BuildOptions

    values = {
        "batch": asked.batch.split(","),
        "workspace_mib": asked.workspace_mib,
        "level": asked.level,
        "compute_capabilities": asked.capabilities or [],
        "hardware": asked.hardware,
        "version_compatible": asked.version_compatible,
    }
    try:
        return msgspec.convert(values, BuildOptions, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(
            f"--batch {asked.batch} --workspace {asked.workspace_mib} --level {asked.level} "
            f"--hardware {asked.hardware}: {error}; expected for example --batch 1,1,8 "
            "--workspace 1024 --level 3 --hardware none"
        ) from None
