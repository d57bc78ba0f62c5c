"""The study's upper bound: supervision by true faces of another face model."""

from __future__ import annotations

from dataclasses import replace

from jaxtyping import Float
from torch import Tensor

from benchmarks.study.bridge import bridge
from mgc_lightning.face_models import EMBEDDED
from mgc_lightning.losses import GroundTruth
from mgc_lightning.scene import FaceViews
from mgc_lightning.structures import FaceTriplet


class TransferredTruth(GroundTruth):
    """Supervise with true faces of another face model, brought to the network's mesh and frame.

    Args:
        source: the face model of the data.
        target: the face model of the network.
        outside: weight of vertices outside the face mask; they are not brought over well.
    """

    def __init__(self, source: str = "ict", target: str = EMBEDDED, outside: float = 0.0) -> None:
        super().__init__(outside=outside)
        self.source, self.target = source, target

    def forward(self, views: FaceViews, batch: FaceTriplet) -> Float[Tensor, " B"]:
        """Give the weighed sum of the distances, averaged over the views."""
        if batch.truth is not None:
            over = bridge(self.source, self.target)
            truth = replace(
                batch.truth,
                verts_neutral=over.verts(batch.truth.verts_neutral),
                verts_posed=over.verts(batch.truth.verts_posed),
                T_cam_model=over.poses(batch.truth.T_cam_model),
            )
            batch = replace(batch, truth=truth)
        return super().forward(views, batch)
