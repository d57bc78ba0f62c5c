"""Measure where the vertices of MediaPipe's face mesh lie on the embedded head, and write the table of them.

    python -m tools.measure_mesh_points --count 192

Random people of the embedded head are drawn as photographs from far away, and the detector (extra `detector`) looks at
them. Each vertex is put back on the head that the picture shows, and from there on the mean face; its place is the mean
over the people, and its spread what people differ by. Vertices without one place (on the outline, in the hair) are left
out.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.face_models import EMBEDDED, FaceModel, load_face_model
from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.fitting.measured_points import MESH_DATA
from mgc_lightning.geometry.camera import intrinsics, project
from mgc_lightning.geometry.mesh import vertex_normals
from mgc_lightning.geometry.pose import transform_points
from mgc_lightning.photographs.face_mesh import VERTICES
from mgc_lightning.photographs.mediapipe_detector import MediaPipeDetector
from mgc_lightning.synthetic import SyntheticSettings, make_triplets

SIZE, BATCH = 384, 8
SETTINGS = replace(
    SyntheticSettings.photographic(),
    occluders=0.0,
    hats=0.0,
    glasses=0.0,
    motion=0.0,
    monochrome=0.0,
    yaw_limit=50.0,
    camera_distance=(4900.0, 5000.0),
    off_axis=0.0,
)
"""Bare faces from so far away that the pose of the truth draws the vertices where the picture has them."""
FIRST = 90_000
"""Of the people: none of them is drawn in training."""
FACING = 0.5
"""Least cosine between the surface and the way to the camera: nearer the outline places are uncertain."""
SEEN, SPREAD = 15, 3.5
"""Least number of people that show a vertex, and largest spread in mm of one that has a place."""
KEPT = 0.8
"""Share of the people, the nearest to the median, whose mean is the place."""


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=192, help="number of people")
    count = parser.parse_args().count
    model, found = load_face_model(), [[] for _ in range(VERTICES)]
    pictures = 0
    for places in places_of_people(model, MediaPipeDetector(), count):
        pictures += 1
        for vertex in places.isfinite().all(-1).nonzero().squeeze(1).tolist():
            found[vertex].append(places[vertex])
    rows = []
    for vertex, places in enumerate(found):
        if len(places) < SEEN:
            continue
        place, spread = one_place(torch.stack(places))
        if spread < SPREAD:
            rows.append([vertex, *(round(value, 2) for value in place.tolist()), round(spread, 2)])
    print(f"{pictures} pictures; {len(rows)} of {VERTICES} vertices have a place, median spread "
          f"{np.median([row[-1] for row in rows]):.2f} mm")  # fmt: skip
    write_table(pictures, rows)


def places_of_people(model: FaceModel, detector: MediaPipeDetector, count: int) -> Iterator[Float[Tensor, "468 3"]]:
    """Give for each person where on the mean face the vertices lie, mm; NaN where they are not on the face's front."""
    faces, K = model.outer_faces(), intrinsics(SIZE)
    for start in range(0, count, BATCH):
        batch = make_triplets(
            model, range(FIRST + start, FIRST + min(start + BATCH, count)), image_size=SIZE, views=1, settings=SETTINGS
        )
        assert batch.truth is not None
        for image, verts, T in zip(
            batch.images[:, 0], batch.truth.verts_posed[:, 0], batch.truth.T_cam_model[:, 0], strict=True
        ):
            seen = detector.detect(image)
            if seen and seen[0].mesh is not None:
                cam = transform_points(T, verts)
                yield put_back(seen[0].mesh, cam, project(cam, K), faces, model)


def put_back(
    mesh: Float[Tensor, "468 2"],
    cam: Float[Tensor, "N 3"],
    pixels: Float[Tensor, "N 2"],
    faces: Tensor,
    model: FaceModel,
) -> Float[Tensor, "468 3"]:
    """Put points of a picture on the front of the head that it shows, and from there on the mean face."""
    a, b, c = pixels[faces].unbind(1)
    first, second, point = b - a, c - a, mesh[:, None] - a
    area = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    u = (point[..., 0] * second[:, 1] - point[..., 1] * second[:, 0]) / area
    w = (first[:, 0] * point[..., 1] - first[:, 1] * point[..., 0]) / area
    weights = torch.stack([1 - u - w, u, w], -1)
    depth = (weights * cam[faces][..., 2]).sum(-1)
    depth = torch.where((weights >= 0).all(-1), depth, torch.inf)
    nearest, face = depth.min(1)
    weights = weights[torch.arange(len(mesh)), face][..., None]
    corners = faces[face]
    normal = (vertex_normals(cam[None], model.faces)[0][corners] * weights).sum(1)
    facing = -(normal * torch.nn.functional.normalize(cam[corners].mean(1), dim=-1)).sum(-1)
    place = (model.mean[corners] * weights).sum(1)
    return torch.where((nearest.isfinite() & (facing > FACING))[:, None], place, torch.nan)


def one_place(places: Float[Tensor, "n 3"]) -> tuple[Float[Tensor, " 3"], float]:
    """Give the mean of the people near the median, and the median distance from it."""
    away = (places - places.median(0).values).norm(dim=1)
    return places[away <= away.quantile(KEPT)].mean(0), float(away.median())


def write_table(pictures: int, rows: list[list[float]]) -> None:
    """Write the table, one line a vertex: its number, its place in mm on the mean face, its spread in mm."""
    lines = ",\n  ".join(json.dumps(row) for row in rows)
    text = f'{{\n "face_model": "{EMBEDDED}",\n "pictures": {pictures},\n "points": [\n  {lines}\n ]\n}}\n'
    with atomic_path(MESH_DATA) as temporary:
        temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
