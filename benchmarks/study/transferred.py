"""The study's upper bound: supervision by true faces of another face model."""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from benchmarks.study.bridge import bridge
from benchmarks.study.registered import register
from mgc_lightning.face_models import EMBEDDED, FaceModel, load_face_model
from mgc_lightning.losses import GroundTruth
from mgc_lightning.scene import FaceViews
from mgc_lightning.structures import FaceTriplet, TripletTruth


class TransferredTruth(GroundTruth):
    """Supervise with true faces of another face model: each is the network's own model, registered to it.

    For linked samples, whose views show one person.

    Args:
        source: the face model of the data.
        target: the face model of the network.
        outside: weight of vertices outside the face mask; they are not brought over well.
    """

    def __init__(self, source: str = "ict", target: str = EMBEDDED, outside: float = 0.0) -> None:
        super().__init__(outside=outside)
        self.source, self.target = source, target
        self._model: list[FaceModel] = []

    def forward(self, views: FaceViews, batch: FaceTriplet) -> Float[Tensor, " B"]:
        """Give the weighed sum of the distances, averaged over the views."""
        if batch.truth is not None:
            batch = replace(batch, truth=self.transferred(batch.truth))
        return super().forward(views, batch)

    @torch.no_grad()
    def transferred(self, truth: TripletTruth) -> TripletTruth:
        """Bring the truth to the network's model: neutral by registration, expression as offsets of the surface."""
        model = self._face_model(truth.verts_neutral)
        over = bridge(self.source, self.target)
        neutral, posed = over.verts(truth.verts_neutral), over.verts(truth.verts_posed)
        poses = over.poses(truth.T_cam_model)
        found = [register(model, verts) for verts in neutral[:, 0]]
        shapes = torch.stack([model.shape(each.identity) for each in found])[:, None].expand_as(neutral)
        offsets = torch.stack(
            [each.s * (one - other) @ each.R.T for each, one, other in zip(found, posed, neutral, strict=True)]
        )
        turned = torch.stack([each.poses(T) for each, T in zip(found, poses, strict=True)])
        return replace(truth, verts_neutral=shapes, verts_posed=shapes + offsets, T_cam_model=turned)

    def _face_model(self, like: Tensor) -> FaceModel:
        """Load the target once; in a list, so that it is no part of the checkpoint."""
        if not self._model:
            self._model.append(load_face_model(self.target))
        return self._model[0].to(like.device)
