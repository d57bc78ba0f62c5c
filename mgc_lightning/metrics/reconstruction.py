"""The scores of a reconstruction against the ground truth that synthetic triplets carry."""

from __future__ import annotations

from typing import cast

from jaxtyping import Bool, Float
from torch import Tensor, nn
from torchmetrics import Metric

from mgc_lightning.geometry.camera import project
from mgc_lightning.geometry.pose import pose_to_transform, transform_points
from mgc_lightning.metrics.nme import NormalizedMeanError
from mgc_lightning.metrics.pose import RotationError
from mgc_lightning.metrics.shape import VertexDistance
from mgc_lightning.scene import FaceViews
from mgc_lightning.structures import FaceTriplet

BASELINE = "mean_face"
"""Suffix of the scores that the mean face gets on the same samples."""


class ReconstructionScores(nn.Module):
    """Score predictions, and the mean face beside them; each sample counts once, on however many processes.

    nme: landmarks, percent of the face's size. Its baseline is the mean face *at the true pose*.
    rotation: head pose, degrees. Its baseline is the main pose for everyone.
    neutral, posed: mean vertex distance over the face mask after similarity alignment, mm; identity alone, and
    with expression. Their baseline is the mean face.

    Args:
        face_mask: (N,) the vertices that count.
        mean_verts: (N, 3) mm, the mean face.
        mean_landmarks: (68, 3) mm, its landmarks.
        main_pose: (6,) the pose of the baseline.

    Example:
        >>> from mgc_lightning import FaceRenderer, load_face_model, make_triplets, render_views
        >>> from mgc_lightning.fitting import initial_coefficients
        >>> model = load_face_model()
        >>> batch = make_triplets(model, 1, image_size=32)
        >>> views = render_views(initial_coefficients(model, batch.K, 32), model, FaceRenderer(), batch.K, 32)
        >>> scores = ReconstructionScores(model.face_mask, model.mean, model.landmarks68(model.mean), model.main_pose)
        >>> scores.update(views, model.shape(views.coefficients.identity), batch)
        >>> found = scores.compute()  # of the mean face, so that it equals its own baseline
        >>> round(found["neutral"] / found["neutral_mean_face"], 3)
        1.0
    """

    mean_verts: Float[Tensor, "N 3"]
    mean_landmarks: Float[Tensor, "68 3"]
    main_pose: Float[Tensor, " 6"]

    def __init__(
        self,
        face_mask: Bool[Tensor, " N"],
        mean_verts: Float[Tensor, "N 3"],
        mean_landmarks: Float[Tensor, "68 3"],
        main_pose: Float[Tensor, " 6"],
    ) -> None:
        super().__init__()
        self.register_buffer("mean_verts", mean_verts.clone(), persistent=False)
        self.register_buffer("mean_landmarks", mean_landmarks.clone(), persistent=False)
        self.register_buffer("main_pose", main_pose.clone(), persistent=False)
        self.metrics = nn.ModuleDict()
        for suffix in ("", f"_{BASELINE}"):
            self.metrics[f"nme{suffix}"] = NormalizedMeanError()
            self.metrics[f"rotation{suffix}"] = RotationError()
            self.metrics[f"neutral{suffix}"] = VertexDistance(face_mask)
            self.metrics[f"posed{suffix}"] = VertexDistance(face_mask)

    def update(self, views: FaceViews, neutral_verts: Float[Tensor, "B V N 3"], batch: FaceTriplet) -> None:
        """Add a batch; without ground truth, only the landmarks are scored.

        Truth of another face model has another topology and origin: landmarks and rotation alone are scored.

        Args:
            views: the predicted views.
            neutral_verts: mm, model frame, the predicted identity without expression.
            batch: the samples.
        """

        def score(name: str, predicted: Tensor, target: Tensor) -> None:
            cast(Metric, self.metrics[name]).update(predicted, target, batch.sample_id)

        score("nme", views.landmarks, batch.landmarks)
        truth = batch.truth
        if truth is None:
            return
        T_mean = pose_to_transform(self.main_pose)
        R = truth.T_cam_model[..., :3, :3]
        score("rotation", views.T_cam_model[..., :3, :3], R)
        score(f"rotation_{BASELINE}", T_mean[:3, :3].expand_as(R), R)
        if truth.verts_posed.shape[-2] != len(self.mean_verts):
            return
        mean_landmarks = project(transform_points(truth.T_cam_model, self.mean_landmarks), batch.K)
        score(f"nme_{BASELINE}", mean_landmarks, batch.landmarks)
        mean = self.mean_verts.expand_as(truth.verts_posed)
        score("neutral", neutral_verts, truth.verts_neutral)
        score(f"neutral_{BASELINE}", mean, truth.verts_neutral)
        score("posed", views.mesh.verts, truth.verts_posed)
        score(f"posed_{BASELINE}", mean, truth.verts_posed)

    def compute(self) -> dict[str, float]:
        """Give all scores, reduced over ranks; `posed_ratio` and `neutral_ratio` compare with the mean face."""
        values = {
            name: float(metric.compute())
            for name, metric in self.metrics.items()
            if isinstance(metric, Metric) and metric.update_called
        }
        for name in ("neutral", "posed"):
            if f"{name}_{BASELINE}" in values:
                values[f"{name}_ratio"] = values[name] / values[f"{name}_{BASELINE}"]
        return values

    def reset(self) -> None:
        """Forget all samples."""
        for metric in self.metrics.values():
            if isinstance(metric, Metric):
                metric.reset()
