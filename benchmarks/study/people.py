"""The unseen people of the study: linked photographs, neutral scans for NoW's and REALY's protocols."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from mgc_lightning.evaluation.realy.topology import load_topology
from mgc_lightning.face_models import load_face_model
from mgc_lightning.metrics.now.scan import NoWScan, crop_scan
from mgc_lightning.metrics.realy.scan import REALYScan, ScanRegion
from mgc_lightning.metrics.realy.topology import Topology
from mgc_lightning.structures import FaceTriplet
from mgc_lightning.synthetic import SyntheticSettings, make_triplets
from mgc_lightning.synthetic.realy_regions import cut_regions
from mgc_lightning.synthetic.scanner import Scan, scan_head
from mgc_lightning.synthetic.set_settings import ScannerSettings
from mgc_lightning.synthetic.streams import stream

SEED = 7
"""Of the people; no training of the study has it."""
SCALE = 9.0
"""Millimetres per unit of REALY's scans, whose searches have fixed radii."""

SCANNER = ScannerSettings(spacing=1.4, half_angle=90.0)


@dataclass(frozen=True)
class Person:
    """Hold one person: a triplet of one moment (B = 1, with truth), and the true neutral face as two scans."""

    number: int
    triplet: FaceTriplet
    now: NoWScan
    realy: REALYScan


def people(name: str, count: int, image_size: int, focal: float, world: SyntheticSettings) -> Iterator[Person]:
    """Make the people of the stream `test`, of another seed than any training's.

    Args:
        name: their face model.
        count: people.
        image_size: side of the crops in px.
        focal: px at 224 px.
        world: what the triplets are like.
    """
    model = load_face_model(name)
    for number in range(count):
        triplet = make_triplets(model, [number], image_size=image_size, focal=focal, settings=world, seed=SEED)
        assert triplet.truth is not None
        verts = triplet.truth.verts_neutral[0, 0]
        array = verts.double().numpy()
        scan = scan_head(array, model.outer_faces().numpy(), stream(SEED, "test", number, "study scan"), SCANNER)
        now = crop_scan(scan.verts, model.landmarks7(verts).double().numpy(), f"person {number}")
        yield Person(
            number, triplet, now, realy_scan(load_topology(name), number, array, scan, model.landmarks68(verts))
        )


def realy_scan(
    topology: Topology, number: int, verts: Float[NDArray, "N 3"], scan: Scan, landmarks: Float[Tensor, "68 3"]
) -> REALYScan:
    """Cut REALY's regions from the scan of a face (N, 3) in mm, and take its keypoints."""
    regions = {
        region: ScanRegion((points / SCALE).astype(np.float32), faces)
        for region, (points, faces) in cut_regions(scan.verts, scan.faces, landmarks.double().numpy()).items()
    }
    keypoints = topology.keypoints(verts) / SCALE
    return REALYScan(number + 1, keypoints.astype(np.float32), regions, SCALE)  # type: ignore[arg-type]
