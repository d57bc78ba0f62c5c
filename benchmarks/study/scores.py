"""Scores of a network, or of the mean face, on the study's people: one number a person, so that rows can be paired."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from benchmarks.study.bridge import Bridge, bridge
from benchmarks.study.people import Person
from benchmarks.study.registered import register
from mgc_lightning.evaluation.realy.topology import topology_of
from mgc_lightning.face_models import FaceModel
from mgc_lightning.geometry.pose import rotation_error, transform_to_pose
from mgc_lightning.metrics.nme import normalized_mean_error
from mgc_lightning.metrics.nme_by_yaw import BINS
from mgc_lightning.metrics.now.evaluate import now_error
from mgc_lightning.metrics.realy.evaluate import realy_errors
from mgc_lightning.metrics.realy.regions import REGIONS
from mgc_lightning.metrics.realy.topology import Topology
from mgc_lightning.networks.face_network import FaceNetwork
from mgc_lightning.rendering.renderer import FaceRenderer
from mgc_lightning.scene import FaceViews, render_views
from mgc_lightning.structures import FaceTriplet

Scores = dict[str, list[float]]
"""Column -> one number a person; NaN where a person has none."""


@dataclass(frozen=True)
class Scorer:
    """Score on the people of one face model.

    Attributes:
        source: their face model.
        realy: how many people are scored by REALY's protocol, a second of one core each.
    """

    source: str
    realy: int

    def __call__(self, network: FaceNetwork, people: Iterable[Person], mean_face: bool = False) -> Scores:
        """Give every column; the mean face stands at the true pose, whatever the network says."""
        return columns_of([self.person(network, person, mean_face) for person in people])

    def limit(self, model: FaceModel, people: Iterable[Person]) -> Scores:
        """Give what the face model can do: it is registered to the true neutral faces."""
        rows = []
        for person in people:
            assert person.triplet.truth is not None
            verts = bridge(self.source, model.name).verts(person.triplet.truth.verts_neutral[0, 0])
            rows.append(self.shape(model.shape(register(model, verts).identity), model, person))
        return columns_of(rows)

    @torch.inference_mode()
    def person(self, network: FaceNetwork, person: Person, mean_face: bool) -> dict[str, float]:
        """Give the scores of one person: shape by the target view, the rest as means over the views."""
        model, batch = network.face_model, person.triplet
        over = bridge(self.source, model.name)
        views = mean_views(network, batch, over) if mean_face else predicted_views(network, batch)
        verts = model.shape(views.coefficients.identity[0, 0])
        return self.shape(verts, model, person) | pose_columns(views, batch, over)

    def shape(self, verts: Float[Tensor, "N 3"], model: FaceModel, person: Person) -> dict[str, float]:
        """Give NoW's columns of a neutral mesh, and REALY's for the first people."""
        row = now_columns(verts, model, person)
        if person.number < self.realy:
            errors = realy_errors(verts.double().numpy(), _topology(model), person.realy).errors
            row |= {f"realy/{region}": float(error) for region, error in zip(REGIONS, errors, strict=True)}
            row["realy/all"] = float(errors.mean())
        return row


def columns_of(rows: list[dict[str, float]]) -> Scores:
    """Turn a row a person into columns."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name, float("nan")) for row in rows] for name in names}


def now_columns(verts: Float[Tensor, "N 3"], model: FaceModel, person: Person) -> dict[str, float]:
    """Give median, mean and standard deviation of NoW's distances to a person's scan, mm."""
    points = model.landmarks7(verts).double().numpy()
    distances = now_error(person.now, verts.double().numpy(), model.faces.numpy(), points).distances
    return {
        "now/median": float(np.median(distances)),
        "now/mean": float(distances.mean()),
        "now/std": float(distances.std()),
    }


def pose_columns(views: FaceViews, batch: FaceTriplet, over: Bridge) -> dict[str, float]:
    """Give rotation (degrees), depth (mm) and NME (percent) by true yaw."""
    assert batch.truth is not None
    R = over.poses(batch.truth.T_cam_model)[0, :, :3, :3]
    row = {"pose": float(rotation_error(views.T_cam_model[0, :, :3, :3], R).mean())}
    row["depth"] = depth_error(views, batch, over.s)
    nme = normalized_mean_error(views.landmarks[0], batch.landmarks[0])
    row["nme"] = float(nme.mean())
    yaw = torch.rad2deg(torch.atan2(R[:, 0, 2], R[:, 2, 2])).abs()
    yaw = torch.minimum(yaw, 180 - yaw)
    for low, high in BINS[:2]:
        inside = (yaw >= low) & (yaw < high)
        if inside.any():
            row[f"nme/{low:.0f}-{high:.0f}"] = float(nme[inside].mean())
    return row


def depth_error(views: FaceViews, batch: FaceTriplet, s: float) -> float:
    """Average the distances in depth (mm) where skin is seen, after the shift that makes their median 0.

    How far a face is away can't be told from a crop; what is measured is its relief.
    """
    assert batch.truth is not None
    errors = []
    predicted = s * views.rendered.depth.unflatten(0, batch.images.shape[:2])
    for found, true, skin in zip(predicted[0], batch.truth.depth[0], batch.skin[0], strict=True):
        difference = (found - true)[(found > 0) & (true > 0) & (skin > 0.5)]
        if len(difference):
            errors.append(float((difference - difference.median()).abs().mean()))
    return float(np.mean(errors)) if errors else float("nan")


def predicted_views(network: FaceNetwork, batch: FaceTriplet) -> FaceViews:
    """Reconstruct every view."""
    shape = batch.images.shape[:2]
    found = network.coefficients(batch.images.flatten(0, 1)).map(lambda group: group.unflatten(0, shape))
    return render_views(found, network.face_model, FaceRenderer(), batch.K, network.image_size)


def mean_views(network: FaceNetwork, batch: FaceTriplet, over: Bridge) -> FaceViews:
    """Place the mean face where the true ones are."""
    assert batch.truth is not None
    model, (B, V) = network.face_model, batch.images.shape[:2]
    faces = model.mean_coefficients(B * V).map(lambda group: group.unflatten(0, (B, V)))
    faces = replace(faces, pose=transform_to_pose(over.poses(batch.truth.T_cam_model)))
    return render_views(faces, model, FaceRenderer(), batch.K, network.image_size)


@cache
def _topology(model: FaceModel) -> Topology:
    return topology_of(model)
