"""One prediction against one scan: alignment, non-rigid registration and error of the four regions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from mgc_lightning.errors import MGCError
from mgc_lightning.metrics.realy.clean import clean_region
from mgc_lightning.metrics.realy.gicp import GlobalAlignment, align_globally
from mgc_lightning.metrics.realy.nicp import deform_region
from mgc_lightning.metrics.realy.regions import NONRIGID_KEYPOINTS, REGIONS, Region
from mgc_lightning.metrics.realy.ricp import RegionalAlignment, align_to_region
from mgc_lightning.metrics.realy.scan import REALYScan
from mgc_lightning.metrics.realy.surface import RigidSurface
from mgc_lightning.metrics.realy.topology import Topology


@dataclass(frozen=True)
class RegionError:
    """Hold the outcome of one region.

    Attributes:
        error: mean error in mm.
        vertex_errors: (N,) mm, of the cleaned scan's vertices.
        verts: (N, 3) the cleaned scan, model units.
        faces: (F, 3).
        deformed: (N, 3) the scan after registration, model units.
        alignment: the prediction aligned to this region.
        solves: linear systems solved by the registration.
        scale: mm per model unit.
    """

    error: float
    vertex_errors: Float[NDArray, " N"]
    verts: Float[NDArray, "N 3"]
    faces: Int[NDArray, "F 3"]
    deformed: Float[NDArray, "N 3"]
    alignment: RegionalAlignment
    solves: int
    scale: float


@dataclass(frozen=True)
class PredictionErrors:
    """Hold the outcome of one prediction: its global alignment and one `RegionError` a region."""

    alignment: GlobalAlignment
    regions: dict[Region, RegionError]

    @property
    def errors(self) -> Float[NDArray, " 4"]:
        """Mean errors in mm, in the order of `REGIONS`."""
        return np.array([self.regions[region].error for region in REGIONS])


def realy_errors(
    verts: Float[NDArray, "N 3"],
    topology: Topology,
    scan: REALYScan,
    faces: Int[NDArray, "F 3"] | None = None,
) -> PredictionErrors:
    """Score one prediction by REALY (Chai et al., ECCV 2022).

    Args:
        verts: (N, 3) in the order of the topology; any unit, any pose.
        topology: faces, keypoints and mask.
        scan: the subject.
        faces: (F, 3) surface of the prediction where it is not the topology's.

    Raises:
        MGCError: if the vertices do not fit the topology or are not finite, or a registration is singular.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> from mgc_lightning.evaluation.realy import topology_of
        >>> from mgc_lightning.metrics.realy import ScanRegion
        >>> from mgc_lightning.synthetic import ScannerSettings, scan_head
        >>> from mgc_lightning.synthetic.realy_regions import cut_regions
        >>> model = load_face_model()
        >>> topology, verts = topology_of(model), model.mean.double().numpy()
        >>> coarse = ScannerSettings(spacing=4.0, half_angle=80.0, holes=0, waves=0.0)
        >>> scanned = scan_head(verts, model.faces_without("teeth").numpy(), np.random.default_rng(0), coarse)
        >>> parts = cut_regions(scanned.verts, scanned.faces, model.landmarks68(model.mean).double().numpy())
        >>> regions = {name: ScanRegion(np.float32(points / 9), faces) for name, (points, faces) in parts.items()}
        >>> scan = REALYScan(1, np.float32(topology.keypoints(verts) / 9), regions, scale=9.0)
        >>> errors = realy_errors(100 * verts, topology, scan).errors  # the truth, in another unit
        >>> errors.shape, bool((errors < 0.6).all())  # mm: nose, mouth, forehead, cheek
        ((4,), True)
    """
    verts = np.asarray(verts, np.float32)
    topology.check(verts)
    surface_faces = topology.faces if faces is None else faces
    everywhere = align_globally(verts, topology.keypoints(verts), scan.keypoints)
    keypoints = topology.keypoints(everywhere.verts)
    surface = RigidSurface(everywhere.verts, surface_faces)
    measured = surface
    if topology.mask is not None:
        measured = RigidSurface(everywhere.verts, topology.masked(surface_faces))
    regions = {}
    for region in REGIONS:
        aligned = align_to_region(
            region, everywhere.verts, surface, keypoints, scan.regions[region].verts, scan.keypoints
        )
        try:
            regions[region] = _region_error(region, aligned, measured, topology, scan)
        except MGCError as error:
            raise MGCError(f"subject {scan.subject}, {region}: {error}") from error
    return PredictionErrors(everywhere, regions)


def _region_error(
    region: Region,
    aligned: RegionalAlignment,
    surface: RigidSurface,
    topology: Topology,
    scan: REALYScan,
) -> RegionError:
    """Register the cleaned region to the prediction; measure from its original vertices to where they landed."""
    verts, faces = clean_region(scan.regions[region].verts, scan.regions[region].faces)
    near, targets = surface.query(verts, aligned.posed)
    chosen = list(NONRIGID_KEYPOINTS[region])
    if chosen:
        _, index = cKDTree(verts).query(scan.keypoints[chosen])
        deformation = deform_region(verts, faces, targets, index, topology.keypoints(aligned.verts)[chosen])
    else:
        deformation = deform_region(verts, faces, targets)
    _, landed = surface.query(deformation.verts, aligned.posed, near)
    vertex_errors = np.sqrt(np.sum((landed - verts) ** 2, axis=1))
    return RegionError(
        error=float(vertex_errors.mean() * scan.scale),
        vertex_errors=vertex_errors * scan.scale,
        verts=verts,
        faces=faces,
        deformed=deformation.verts,
        alignment=aligned,
        solves=deformation.solves,
        scale=scan.scale,
    )
