"""The official training objective on given coefficients: every term and the total."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from benchmarks.official.covisibility import (
    official_covisible_faces,
    official_covisible_map,
    official_shared_verts,
)
from benchmarks.official.epipolar import official_epipolar_distance, official_fundamental
from benchmarks.official.losses import (
    combine_mean,
    combine_valid,
    official_albedo_prior,
    official_depth_loss,
    official_landmark_loss,
    official_pixel_loss,
    official_render_loss,
    official_shape_prior,
    official_ssim_loss,
    split_flags,
)
from benchmarks.official.warp import official_warp
from mgc_lightning.coefficients import LIGHT_AMBIENT, FaceCoefficients
from mgc_lightning.face_models import FaceModel
from mgc_lightning.geometry.camera import project
from mgc_lightning.geometry.pose import pose_to_transform, relative_transform, transform_points
from mgc_lightning.losses.views import composite
from mgc_lightning.rendering.renderer import FaceRenderer
from mgc_lightning.structures import FaceMesh, RenderedFace

SINGLE_TERMS = ("reg_shape", "reg_color", "lm", "render")
MULTI_TERMS = ("pixel", "ssim", "depth", "epi")


@dataclass(frozen=True)
class OfficialWeights:
    """Hold the weights of the published command; the identity loss is left out."""

    reg_shape: float = 1e-4
    reg_color: float = 3e-4
    lm: float = 1e-3
    render: float = 1.9
    pixel: float = 0.15
    ssim: float = 0.0
    depth: float = 1e-4
    epi: float = 0.0
    multiview: float = 1.0


@dataclass
class OfficialInputs:
    """Hold one batch as the official graph is fed; views first: target, source 1, source 2.

    Attributes:
        images: (V, B, 3, H, W) RGB in [0, 1].
        skin: (V, B, 1, H, W) weights.
        landmarks: (V, B, 68, 2) detected, px.
        landmark_weights: (68,).
        K: (B, 3, 3).
        vertex_order: (M,) vertices of the face region in the official numbering.
    """

    images: Float[Tensor, "V B 3 H W"]
    skin: Float[Tensor, "V B 1 H W"]
    landmarks: Float[Tensor, "V B 68 2"]
    landmark_weights: Float[Tensor, " 68"]
    K: Float[Tensor, "B 3 3"]
    vertex_order: Int[Tensor, " M"]


@dataclass
class OfficialView:
    """Hold one decoded and rendered view of a batch."""

    coefficients: FaceCoefficients
    mesh: FaceMesh
    T_cam_model: Float[Tensor, "B 4 4"]
    rendered: RenderedFace
    landmarks: Float[Tensor, "B 68 2"]


def decode_view(
    vector: Float[Tensor, "B 257"],
    face_model: FaceModel,
    renderer: FaceRenderer,
    K: Float[Tensor, "B 3 3"],
    image_size: int,
) -> OfficialView:
    """Decode the network's raw vector and render the face region; no gradient passes through normals."""
    raw = FaceCoefficients.from_vector(vector, face_model.layout)
    ambient = torch.zeros_like(raw.light)
    ambient[:, ::9] = LIGHT_AMBIENT
    coefficients = replace(raw, pose=raw.pose + face_model.main_pose, light=raw.light + ambient)
    mesh = face_model(coefficients)
    mesh = replace(mesh, normals=mesh.normals.detach())
    T_cam_model = pose_to_transform(coefficients.pose)
    rendered = renderer(mesh, T_cam_model, K, coefficients.light, image_size, faces=face_model.face_region_faces)
    landmarks = project(transform_points(T_cam_model, face_model.landmarks68(mesh.verts)), K)
    return OfficialView(coefficients, mesh, T_cam_model, rendered, landmarks)


def official_objective(
    vectors: Float[Tensor, "V B 257"],
    inputs: OfficialInputs,
    link: Float[Tensor, " B"],
    weights: OfficialWeights,
    face_model: FaceModel,
    renderer: FaceRenderer,
) -> dict[str, Float[Tensor, ""]]:
    """Compute every term, unweighted, the weighted sums `common` and `mgc`, and `total`."""
    size = inputs.images.shape[-1]
    views = [decode_view(vector, face_model, renderer, inputs.K, size) for vector in vectors]
    terms = single_view_terms(views, inputs) | multi_view_terms(views, inputs, link, face_model, renderer)
    terms["common"] = sum(getattr(weights, name) * terms[name] for name in SINGLE_TERMS)
    terms["mgc"] = weights.multiview * sum(getattr(weights, name) * terms[name] for name in MULTI_TERMS)
    terms["total"] = terms["common"] + terms["mgc"]
    return terms


def single_view_terms(views: list[OfficialView], inputs: OfficialInputs) -> dict[str, Float[Tensor, ""]]:
    """Average each term over the views."""
    terms = {name: vectors_zero(views) for name in SINGLE_TERMS}
    for index, view in enumerate(views):
        image, mask = inputs.images[index], view.rendered.mask
        overlay = composite(view.rendered.image, mask, image)
        render = official_render_loss(overlay, image, inputs.skin[index], mask).mean()
        values = {
            "reg_shape": official_shape_prior(view.coefficients.identity, view.coefficients.expression),
            "reg_color": official_albedo_prior(view.coefficients.albedo),
            "lm": official_landmark_loss(view.landmarks, inputs.landmarks[index], inputs.landmark_weights),
            "render": render,
        }
        terms = {name: total + values[name] / len(views) for name, total in terms.items()}
    return terms


def multi_view_terms(
    views: list[OfficialView],
    inputs: OfficialInputs,
    link: Float[Tensor, " B"],
    face_model: FaceModel,
    renderer: FaceRenderer,
) -> dict[str, Float[Tensor, ""]]:
    """Sum each term over the sources."""
    flag_synthesis, flag_epipolar = split_flags(link)
    target = views[0]
    terms = {name: vectors_zero(views) for name in MULTI_TERMS}
    for index, source in enumerate(views[1:], start=1):
        T_source_target = relative_transform(target.T_cam_model, source.T_cam_model)
        warp = official_warp(target.rendered.depth, T_source_target, inputs.K)
        synthesised = warp.sample(inputs.images[index])
        depth_sampled = warp.sample(source.rendered.depth)
        mask = warp.inside * covisible_map(target, source, inputs, face_model, renderer)
        pixel = official_pixel_loss(synthesised * mask, inputs.images[0], mask, target.rendered.mask)
        ssim = official_ssim_loss(synthesised, inputs.images[0], mask)
        depth = official_depth_loss(target.rendered.depth, depth_sampled, mask)
        F = official_fundamental(T_source_target, inputs.K)
        epipolar = official_epipolar_distance(inputs.landmarks[0], inputs.landmarks[index], F).mean(-1)
        values = {
            "pixel": combine_mean(pixel, flag_synthesis),
            "ssim": combine_mean(ssim, flag_synthesis),
            "depth": combine_valid(depth, flag_synthesis),
            "epi": combine_valid(epipolar, flag_epipolar),
        }
        terms = {name: total + values[name] for name, total in terms.items()}
    return terms


def covisible_map(
    target: OfficialView,
    source: OfficialView,
    inputs: OfficialInputs,
    face_model: FaceModel,
    renderer: FaceRenderer,
) -> Float[Tensor, "B 1 H W"]:
    """Give the official covisible map of two rendered views, a constant."""
    faces = face_model.face_region_faces
    shared = official_shared_verts(
        target.rendered.fragments.pix_to_face,
        source.rendered.fragments.pix_to_face,
        faces,
        inputs.vertex_order,
        face_model.num_verts,
    )
    verts_cam = transform_points(target.T_cam_model, target.mesh.verts).detach()
    chosen = official_covisible_faces(shared, faces)
    return official_covisible_map(renderer, verts_cam, chosen, faces, inputs.K, inputs.images.shape[-1])


def vectors_zero(views: list[OfficialView]) -> Float[Tensor, ""]:
    """Give a zero to add to."""
    return views[0].T_cam_model.new_zeros(())
