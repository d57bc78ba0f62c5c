"""`mgc face-model list`: the face models that are here, and those that can be."""

from __future__ import annotations

from mgc_lightning.face_models.names import OWNERS_FILES


def list_models() -> int:
    """List the face models that are installed, and those that can be imported."""
    from mgc_lightning.face_models.importing import list_face_models
    from mgc_lightning.face_models.landmark_sets import landmark_sets

    entries = list_face_models()
    for entry in entries:
        data = entry.data
        if data is None:
            print(f"{entry.name}: cannot be read: {entry.error}\n")
            continue
        bases = {"identity": data.identity_basis, "expression": data.expression_basis, "albedo": data.albedo_basis}
        sizes = ", ".join(f"{len(basis)} {name}" for name, basis in bases.items())
        print(f"{entry.name}: {data.num_fine} vertices, {sizes} directions")
        print(f"    {data.info.licence}")
        if sets := landmark_sets(data):
            print("    landmark sets: " + ", ".join(f"{entry.name}@{name}" for name in sets))
        print(f"    {entry.path}\n")
    installed = {entry.name for entry in entries}
    for kind, file in OWNERS_FILES.items():
        if kind not in installed:
            print(f"{kind}: not installed; mgc face-model import {kind} --source PATH ({file})")
    return int(any(entry.data is None for entry in entries))
