"""Views of faces: coefficients decoded, posed and rendered once, for whatever loss or picture needs them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mgc_lightning.coefficients import FaceCoefficients
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.geometry.camera import project
from mgc_lightning.geometry.pose import pose_to_transform, transform_points
from mgc_lightning.rendering.renderer import FaceRenderer
from mgc_lightning.structures import FaceMesh, RenderedFace


@dataclass
class FaceViews:
    """Hold predicted views of faces; view 0 is the target.

    Attributes:
        coefficients: (B, V, ...) absolute.
        mesh: (B, V, N, 3) in the model frame.
        T_cam_model: (B, V, 4, 4).
        K: (B, V, 3, 3) px.
        rendered: of the B * V views, flattened in this order.
        landmarks: (B, V, 68, 2) px.
        image_size: side of the images in px.
        expression_sigma: (E,) standard deviations of the expression's prior.
        verts_neutral: (B, V, N, 3) mm, model frame: the identities without expression.
        face_mask: (N,) vertices of the face that evaluation measures.

    Example:
        >>> from mgc_lightning import FaceRenderer, load_face_model
        >>> from mgc_lightning.geometry.camera import intrinsics
        >>> model, K = load_face_model(), intrinsics(32).expand(1, 3, 3, 3)
        >>> faces = model.mean_coefficients(batch_size=3).map(lambda group: group[None])  # one sample of three views
        >>> views = render_views(faces, model, FaceRenderer(), K, 32)
        >>> views.num_views, views.mesh.verts.shape, views.rendered.depth.shape
        (3, torch.Size([1, 3, 4032, 3]), torch.Size([3, 1, 32, 32]))
    """

    coefficients: FaceCoefficients
    mesh: FaceMesh
    T_cam_model: Float[Tensor, "B V 4 4"]
    K: Float[Tensor, "B V 3 3"]
    rendered: RenderedFace
    landmarks: Float[Tensor, "B V 68 2"]
    image_size: int
    expression_sigma: Float[Tensor, " E"]
    verts_neutral: Float[Tensor, "B V N 3"]
    face_mask: Bool[Tensor, " N"]

    @property
    def num_views(self) -> int:
        """V."""
        return self.T_cam_model.shape[1]

    def detach(self) -> Self:
        """Cut all gradients, for pictures and scores."""
        rendered = RenderedFace(
            image=self.rendered.image.detach(),
            mask=self.rendered.mask,
            depth=self.rendered.depth.detach(),
            fragments=replace(self.rendered.fragments, bary=self.rendered.fragments.bary.detach()),
        )
        mesh = replace(
            self.mesh,
            verts=self.mesh.verts.detach(),
            normals=self.mesh.normals.detach(),
            albedo=self.mesh.albedo.detach(),
        )
        return replace(
            self,
            coefficients=self.coefficients.map(Tensor.detach),
            mesh=mesh,
            T_cam_model=self.T_cam_model.detach(),
            rendered=rendered,
            landmarks=self.landmarks.detach(),
            verts_neutral=self.verts_neutral.detach(),
        )


def render_views(
    coefficients: FaceCoefficients,
    face_model: FaceModel,
    renderer: FaceRenderer,
    K: Float[Tensor, "B V 3 3"] | Float[Tensor, "3 3"],
    image_size: int,
    faces: Int[Tensor, "F 3"] | None = None,
) -> FaceViews:
    """Decode and render every view, in float32 whatever the autocast around.

    Args:
        coefficients: (B, V, ...) absolute.
        face_model: decodes them.
        renderer: draws them.
        K: (B, V, 3, 3) or (3, 3) px.
        image_size: side of the images in px.
        faces: the triangles to draw; the face model's face region if None.

    Example:
        >>> from mgc_lightning import FaceRenderer, load_face_model
        >>> from mgc_lightning.fitting import initial_coefficients
        >>> from mgc_lightning.geometry.camera import intrinsics
        >>> face_model, K = load_face_model(), intrinsics(32).expand(1, 3, 3, 3)
        >>> views = render_views(initial_coefficients(face_model, K, 32), face_model, FaceRenderer(), K, 32)
        >>> views.rendered.image.shape, views.landmarks.shape
        (torch.Size([3, 3, 32, 32]), torch.Size([1, 3, 68, 2]))
    """
    device = coefficients.pose.device.type
    with torch.autocast(device_type=device, enabled=False):
        coefficients = coefficients.map(_to_float32)
        batch = coefficients.pose.shape[:2]
        flat = coefficients.map(lambda group: group.flatten(0, 1))
        T_cam_model = pose_to_transform(flat.pose)
        K = K.to(T_cam_model).expand(*batch, 3, 3)
        mesh = face_model(flat)
        rendered = renderer(
            mesh,
            T_cam_model,
            K.flatten(0, 1),
            flat.light,
            image_size,
            faces=face_model.face_region_faces if faces is None else faces,
        )
        landmarks = project(transform_points(T_cam_model, face_model.landmarks68(mesh.verts)), K.flatten(0, 1))
    return FaceViews(
        coefficients=coefficients,
        mesh=_unflatten_mesh(mesh, batch),
        T_cam_model=T_cam_model.unflatten(0, batch),
        K=K,
        rendered=rendered,
        landmarks=landmarks.unflatten(0, batch),
        image_size=image_size,
        expression_sigma=face_model.expression_sigma,
        verts_neutral=face_model.shape(coefficients.identity),
        face_mask=face_model.face_mask,
    )


def _to_float32(group: Tensor) -> Tensor:
    # float64 stays, for checks of gradients.
    return group if group.dtype == torch.float64 else group.float()


def _unflatten_mesh(mesh: FaceMesh, batch: tuple[int, ...]) -> FaceMesh:
    return replace(
        mesh,
        verts=mesh.verts.unflatten(0, batch),
        normals=mesh.normals.unflatten(0, batch),
        albedo=mesh.albedo.unflatten(0, batch),
    )
