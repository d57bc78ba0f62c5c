"""Views of faces: coefficients decoded, posed and rendered once, for whatever loss or picture needs them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mgc_lightning.coefficients import FaceCoefficients
from mgc_lightning.geometry.camera import project
from mgc_lightning.geometry.covisibility import covisible_mask
from mgc_lightning.geometry.pose import pose_to_transform, relative_transform, transform_points
from mgc_lightning.geometry.view_synthesis import correspond, sample_bilinear
from mgc_lightning.structures import FaceMesh, RenderedFace

if TYPE_CHECKING:
    from mgc_lightning.face_models.face_model import FaceModel
    from mgc_lightning.rendering.renderer import FaceRenderer


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
    """

    coefficients: FaceCoefficients
    mesh: FaceMesh
    T_cam_model: Float[Tensor, "B V 4 4"]
    K: Float[Tensor, "B V 3 3"]
    rendered: RenderedFace
    landmarks: Float[Tensor, "B V 68 2"]
    image_size: int
    expression_sigma: Float[Tensor, " E"]

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
        )


@dataclass
class ViewPairs:
    """Hold P (target, source) pairs, each source synthesised in its target's frame.

    Attributes:
        sample: (P,) index of the sample in the batch.
        source: (P,) index of the source view, from 1.
        image_target: (P, 3, H, W) the target's photograph.
        image_synthesised: (P, 3, H, W) the source's photograph at the target's surface points.
        depth_sampled: (P, 1, H, W) the source's depth there, mm.
        depth_transformed: (P, 1, H, W) the depth of those points in the source camera's frame, mm.
        mask: (P, 1, H, W) covisible pixels, 0 or 1.
    """

    sample: Int[Tensor, " P"]
    source: Int[Tensor, " P"]
    image_target: Float[Tensor, "P 3 H W"]
    image_synthesised: Float[Tensor, "P 3 H W"]
    depth_sampled: Float[Tensor, "P 1 H W"]
    depth_transformed: Float[Tensor, "P 1 H W"]
    mask: Float[Tensor, "P 1 H W"]


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
    )


def pair_views(
    views: FaceViews,
    images: Float[Tensor, "B V 3 H W"],
    samples: Int[Tensor, " S"] | None = None,
    tolerance: float = 5.0,
) -> ViewPairs:
    """Synthesise every source view of some samples in the frame of its target.

    Args:
        views: predicted views; the warp follows their depth and poses.
        images: (B, V, 3, H, W) photographs.
        samples: (S,) which samples; all if None. There are S (V - 1) pairs, sample by sample.
        tolerance: of the covisibility's depth test, mm.
    """
    num_views, rendered = views.num_views, views.rendered
    if samples is None:
        samples = torch.arange(len(images), device=images.device)
    sample = samples.repeat_interleave(num_views - 1)
    source = torch.arange(1, num_views, device=images.device).repeat(len(samples))
    target_row, source_row = sample * num_views, sample * num_views + source
    depth_source = rendered.depth[source_row]
    found = correspond(
        rendered.depth[target_row],
        relative_transform(views.T_cam_model[sample, 0], views.T_cam_model[sample, source]),
        views.K[sample, 0],
        views.K[sample, source],
    )
    fragments = rendered.fragments
    mask = covisible_mask(
        found,
        depth_source,
        fragments.pix_to_face[target_row],
        fragments.pix_to_face[source_row],
        fragments.faces,
        views.mesh.verts.shape[-2],
        tolerance,
    )
    return ViewPairs(
        sample=sample,
        source=source,
        image_target=images[sample, 0],
        image_synthesised=sample_bilinear(images[sample, source], found.uv),
        depth_sampled=sample_bilinear(depth_source, found.uv),
        depth_transformed=found.depth,
        mask=mask.to(images.dtype),
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
