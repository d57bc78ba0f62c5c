"""The steps of a fit to a scan: Gauss-Newton in coefficients and similarity, by closest points of the surface."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray

from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.fitting.landmark_fit import fit_landmarks3d
from mgc_lightning.fitting.scan_settings import ScanFitSettings
from mgc_lightning.geometry.alignment import similarity_fit
from mgc_lightning.geometry.closest_points import ClosestPoints, barycentric_weights

SLIDE = 0.1
"""Weight of the residual along the surface, beside 1 across it: points may slide, but not drift."""


FADE = 0.5
"""Share of the iterations after which the landmarks' weight and the robust width have come to their last values."""


FIRST_WIDTH = 5.0
"""Robust width at the start, over that at the end: the first steps pull from far."""


FIRST_NOISE = 5.0
"""mm by which the landmarks may be off in the fit to them alone, the start."""


JAW, JAW_WEIGHT = slice(0, 17), 0.1
"""Of 68 points, those of the contour say where it is, and not where along it they are."""


class ScanProblem:
    """The state of a fit: coefficients in standard deviations and the similarity scan = s R x + t."""

    def __init__(
        self,
        face_model: FaceModel,
        scan: Float[NDArray, "M 3"],
        landmarks: Float[NDArray, "L 3"],
        settings: ScanFitSettings,
    ) -> None:
        self.model, self.scan, self.landmarks, self.settings = face_model, scan, landmarks, settings
        self.count = face_model.layout.identity
        basis = face_model.identity_basis.double().cpu()
        prior = [settings.prior_identity] * self.count
        if settings.expression:
            sigma = face_model.expression_sigma.double().cpu()
            basis = torch.cat([basis, face_model.expression_basis.double().cpu() * sigma[:, None, None]])
            prior += [settings.prior_expression] * len(sigma)
        self.basis = basis.permute(1, 2, 0).contiguous().numpy()  # (N, 3, C): a row a vertex
        self.mean = face_model.mean.double().cpu().numpy()
        self.prior = np.array(prior)
        self.faces = face_model.outer_faces().cpu().numpy()
        pick = face_model.landmarks7 if len(landmarks) == 7 else face_model.landmarks68
        self.mean_landmarks = pick(face_model.mean.double()).cpu().numpy()
        moved = pick(torch.from_numpy(np.moveaxis(self.basis, -1, 0)).to(face_model.mean.device))
        self.landmark_basis = np.moveaxis(moved.cpu().numpy(), 0, -1)
        self.mark_weight = np.ones(len(landmarks))
        if len(landmarks) == 68:
            self.mark_weight[JAW] = JAW_WEIGHT
        self.mark_weight /= self.mark_weight.sum()
        self.x = np.zeros(len(prior))
        self._start()

    def _start(self) -> None:
        target = torch.from_numpy(self.landmarks)
        if len(self.landmarks) == 68:
            found = fit_landmarks3d(
                self.model,
                target[None].to(self.model.mean.device),
                torch.from_numpy(self.mark_weight * 68).float(),
                noise=FIRST_NOISE,
                with_expression=False,
                with_scale=self.settings.scale,
            )
            self.x[: self.count] = found.identity[0].double().cpu().numpy()
        s, R, t = similarity_fit(torch.from_numpy(self.model_landmarks()), target, with_scale=self.settings.scale)
        self.s, self.R, self.t = float(s), R.numpy(), t.numpy()

    def model_landmarks(self) -> Float[NDArray, "L 3"]:
        """Give the landmarks on the face, model frame."""
        return self.mean_landmarks + self.landmark_basis @ self.x

    def verts(self) -> Float[NDArray, "N 3"]:
        """Give the vertices in the model frame."""
        return self.mean + self.basis @ self.x

    def local(self, points: Float[NDArray, "K 3"]) -> Float[NDArray, "K 3"]:
        """Bring points of the scan to the model frame."""
        return (points - self.t) @ self.R / self.s

    def step(self, progress: float) -> None:
        """Take one Gauss-Newton step in coefficients and similarity, with the closest points held."""
        s = self.settings
        fade = min(progress / FADE, 1.0)
        width = s.robust * FIRST_WIDTH ** (1 - fade)
        rows, values, scales = self._surface(width)
        marks = self.local(self.landmarks)
        mark_rows = _jacobian(marks, self.landmark_basis)
        away = marks - self.model_landmarks()
        weight = s.landmarks ** (1 - fade) * s.landmarks_end**fade * self.mark_weight
        mark_scales = np.repeat(weight * _robust(np.linalg.norm(away, axis=1), width), 3)
        normal = (rows * scales[:, None]).T @ rows + (mark_rows * mark_scales[:, None]).T @ mark_rows
        right = rows.T @ (scales * values) + mark_rows.T @ (mark_scales * away.reshape(-1))
        size = len(self.x)
        normal[np.arange(size), np.arange(size)] += self.prior
        right[:size] -= self.prior * self.x
        if not s.scale:
            normal[size + 6], normal[:, size + 6], right[size + 6] = 0, 0, 0
            normal[size + 6, size + 6] = 1
        self._move(np.linalg.solve(normal, right))

    def _surface(self, width: float) -> tuple[NDArray, NDArray, NDArray]:
        """Give rows, values and weights of the distances: one across the surface and three along it a point."""
        points = self.local(self.scan)
        verts = self.verts()
        distances, face, closest = ClosestPoints(verts, self.faces).query(points)
        corners = self.faces[face]
        share = barycentric_weights(closest, verts[corners])
        jacobian = _jacobian(points, np.einsum("mk,mkac->mac", share, self.basis[corners])).reshape(len(points), 3, -1)
        normals = _unit(
            np.cross(verts[corners[:, 1]] - verts[corners[:, 0]], verts[corners[:, 2]] - verts[corners[:, 0]])
        )
        # Near an edge the distance runs between the normals of its faces.
        offset = points - closest
        far = distances > 1e-6
        across = np.where(far[:, None], offset / np.maximum(distances, 1e-6)[:, None], normals)
        weight = _robust(distances, width) / len(points)
        rows = np.concatenate([np.einsum("ma,mac->mc", across, jacobian), jacobian.reshape(-1, jacobian.shape[-1])])
        values = np.concatenate([(across * offset).sum(1), offset.reshape(-1)])
        return rows, values, np.concatenate([weight, np.repeat(weight * SLIDE**2, 3)])

    def _move(self, step: Float[NDArray, " P"]) -> None:
        """Apply a step: coefficients, then the small similarity (turn, shift, growth) of the scan's points."""
        size = len(self.x)
        self.x = self.x + step[:size]
        turn, shift, growth = step[size : size + 3], step[size + 3 : size + 6], step[size + 6]
        # The scan's points move x -> x - (turn x x + shift + growth x): fold it into scan = s R x + t.
        Q, scale = _rotation(-turn), float(np.exp(-growth))
        self.R, self.s, self.t = (
            self.R @ Q.T,
            self.s / scale,
            self.t + self.s / scale * self.R @ Q.T @ shift,
        )


def _jacobian(points: Float[NDArray, "K 3"], basis: Float[NDArray, "K 3 C"]) -> Float[NDArray, "R P"]:
    """Differentiate model point minus moved scan point by coefficients, turn, shift and growth: (3 K, C + 7).

    The residual is scan point - model point; a step d is found from J d = residual.
    """
    x, y, z = points.T
    zero = np.zeros_like(x)
    cross = np.stack([[zero, z, -y], [-z, zero, x], [y, -x, zero]]).transpose(2, 0, 1)
    shift = np.broadcast_to(np.eye(3), (len(points), 3, 3))
    rows = np.concatenate([basis, cross, shift, points[:, :, None]], axis=2)
    return rows.reshape(-1, rows.shape[-1])


def _robust(distances: Float[NDArray, " K"], width: float) -> Float[NDArray, " K"]:
    """Weigh squared distances as Geman and McClure do: 1 near zero, 1/4 at the width, next to nothing far away."""
    return 1 / (1 + (distances / width) ** 2) ** 2


def _unit(vectors: Float[NDArray, "M 3"]) -> Float[NDArray, "M 3"]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _rotation(turn: Float[NDArray, " 3"]) -> Float[NDArray, "3 3"]:
    from scipy.spatial.transform import Rotation

    return Rotation.from_rotvec(turn).as_matrix()
