# SPDX-License-Identifier: Apache-2.0
"""`sensebind bundle`: list, show and verify bundles."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from sensebind.cli import output
from sensebind.cli.options import JsonOption

if TYPE_CHECKING:
    from sensebind.bundle_folder import BundleFolder
    from sensebind.types import Modality

_SHOWN_DIGITS = 16  # of a hash, in tables; --json has them all

app = typer.Typer(help="List, show and verify bundles of encoders.")

NameArgument = Annotated[str, typer.Argument(metavar="NAME|FOLDER", help="Bundle to look at.")]


@app.command("list")
def list_bundles(json: JsonOption = False) -> None:
    """List the bundles shipped with SenseBind."""
    from sensebind.bundle_folder import builtin_bundles, open_bundle

    found = [_summary(open_bundle(folder)) for folder in builtin_bundles().values()]
    if json:
        output.show_json(found)
        return
    rows = [
        [b["name"], _kind(b["kind"]), b["dim"], _size(b["bytes"]), ", ".join(b["modalities"])]
        for b in found
    ]
    output.say(output.table(["name", "kind", "dim", "size", "modalities"], rows))


@app.command("show")
def show_bundle(name: NameArgument, json: JsonOption = False) -> None:
    """Show what a bundle holds, its ids and how its senses were bound."""
    from sensebind.bundle_folder import open_bundle

    folder = open_bundle(name)
    details = _details(folder)
    if json:
        output.show_json(details)
        return
    for title in ("name", "kind", "folder", "licence", "dim", "space_id", "bundle_id"):
        value = _kind(details[title]) if title == "kind" else details[title]
        output.say(f"{title:<10} {value}")
    output.say(f"{'size':<10} {_size(details['bytes'])} in {len(details['files'])} files")
    headers = ["modality", "window", "hop", "preprocessing", "size", "encoder_id"]
    rows = [
        [modality, _seconds(e["length_s"]), _seconds(e["hop_s"]), e["preprocess"]["type"],
         _size(e["bytes"]), e["encoder_id"][:_SHOWN_DIGITS]]
        for modality, e in details["encoders"].items()
    ]  # fmt: skip
    output.say("\n" + output.table(headers, rows))
    for modality, e in details["encoders"].items():
        if assumed := e["preprocess"].get("assumed"):
            stated = ", ".join(f"{name} {e['preprocess'][name]}" for name in assumed)
            output.say(f"\n{modality}: assumed, never published by its authors: {stated}")
    edges = [
        [f"{e.source} - {e.target}", e.loss, "trained" if e.trained else "not trained"]
        for e in folder.manifest.binding_graph
    ]
    output.say("\n" + output.table(["binding", "loss", ""], edges))


@app.command("verify")
def verify_bundle(name: NameArgument, json: JsonOption = False) -> None:
    """Check the size and sha256 of every file of a bundle."""
    from sensebind.bundle_folder import open_bundle

    folder = open_bundle(name)
    names = list(folder.manifest.files)
    with output.progress(f"verifying {folder.manifest.name}", shown=not json) as advance:
        for done, file in enumerate(names, start=1):
            folder.verify([file])
            advance(done / len(names))
    summary = _summary(folder)
    if json:
        output.show_json({**summary, "verified": True})
        return
    output.say(f"{summary['name']}: {len(names)} files, {_size(summary['bytes'])}, all as listed")
    output.say(f"bundle_id {folder.bundle_id}")


def _summary(folder: "BundleFolder") -> dict[str, Any]:
    manifest = folder.manifest
    return {
        "name": manifest.name,
        "kind": manifest.kind,
        "dim": manifest.dim,
        "folder": str(folder.path),
        "bytes": sum(file.bytes for file in manifest.files.values()),
        "modalities": [modality.value for modality in manifest.encoders],
        "space_id": manifest.space_id,
        "bundle_id": folder.bundle_id,
    }


def _details(folder: "BundleFolder") -> dict[str, Any]:
    import msgspec

    manifest = folder.manifest
    return {
        **_summary(folder),
        "licence": manifest.licence,
        "anchor": [modality.value for modality in manifest.anchor],
        "encoders": {m.value: _encoder_details(folder, m) for m in manifest.encoders},
        "binding_graph": msgspec.to_builtins(manifest.binding_graph),
        "files": msgspec.to_builtins(manifest.files),
        "training": manifest.training,
    }


def _encoder_details(folder: "BundleFolder", modality: "Modality") -> dict[str, Any]:
    import msgspec

    manifest = folder.manifest
    encoder = manifest.encoders[modality]
    window = encoder.window
    return {
        "encoder_id": manifest.encoder_id(modality),
        "onnx": encoder.onnx,
        "bytes": manifest.files[encoder.onnx].bytes,
        "length_s": window.length_s if window else None,
        "hop_s": window.hop_s if window else None,
        "min_coverage": window.min_coverage if window else None,
        "preprocess": msgspec.to_builtins(encoder.preprocess),
    }


def _kind(kind: str) -> str:
    return "TEST (random weights, not a model)" if kind == "test" else kind


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:g} s"
