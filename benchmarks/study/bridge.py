"""From the mesh and frame of one face model to those of another."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from mgc_lightning.face_models import load_face_model
from mgc_lightning.face_models.landmark_transfer import on_surface
from mgc_lightning.fitting.scan_fit import fit_scan
from mgc_lightning.metrics.now.scan import crop_scan
from mgc_lightning.synthetic.scanner import scan_head
from mgc_lightning.synthetic.set_settings import ScannerSettings

SCANNER = ScannerSettings(spacing=1.4, half_angle=90.0, noise=0.0, waves=0.0, holes=0)


@dataclass(frozen=True)
class Bridge:
    """Hold the place of every vertex of a target model on the surface of a source model.

    The target's mean is fitted to the source's, once; every source face then gives the target's vertices by the same
    barycentric coordinates.

    Attributes:
        index: (N, 3) vertices of the source.
        weights: (N, 3).
        s, R, t: source point = s R target point + t, of the two means.
    """

    index: Int[Tensor, "N 3"]
    weights: Float[Tensor, "N 3"]
    s: float
    R: Float[Tensor, "3 3"]
    t: Float[Tensor, " 3"]

    def verts(self, source: Float[Tensor, "*batch M 3"]) -> Float[Tensor, "*batch N 3"]:
        """Give the target's vertices (mm, its own frame) of source faces (mm, model frame)."""
        corners = source[..., self.index.to(source.device), :]
        on_source = (corners * self.weights.to(source)[..., None]).sum(-2)
        return (on_source - self.t.to(source)) @ self.R.to(source) / self.s

    def poses(self, T_cam_source: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch 4 4"]:
        """Give the poses of the target's frame; what is s times as large stands at a distance s times as large."""
        T = T_cam_source.clone()
        R, t = T_cam_source[..., :3, :3], T_cam_source[..., :3, 3]
        T[..., :3, :3] = R @ self.R.to(R)
        T[..., :3, 3] = (R @ self.t.to(R) + t) / self.s
        return T


@lru_cache(maxsize=2)
def bridge(source: str, target: str) -> Bridge:
    """Lay the face model `target` on the mean of `source`, by NoW's points and closest points."""
    head, model = load_face_model(source), load_face_model(target)
    verts = head.mean.double().numpy()
    skin, points = head.outer_faces().numpy(), head.landmarks7(head.mean).double().numpy()
    scan = crop_scan(scan_head(verts, skin, np.random.default_rng(0), SCANNER).verts, points)
    fitted = fit_scan(model, scan.points, points)
    index, weights = on_surface(fitted.to_scan(fitted.verts.double().numpy()), verts, skin)
    return Bridge(
        torch.from_numpy(index), torch.from_numpy(weights).float(), fitted.s,
        torch.from_numpy(fitted.R).float(), torch.from_numpy(fitted.t).float(),
    )  # fmt: skip
