"""A reconstruction as people use it: it shows itself in notebooks, and writes itself."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
import trimesh
from jaxtyping import Float, Int
from torch import Tensor

from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.photographs.head_pose import yaw_degrees
from mgc_lightning.pictures.embedding import data_uri
from mgc_lightning.pictures.viewer import viewer_data, viewer_frame
from mgc_lightning.reconstruction.face import PlacedFace
from mgc_lightning.reconstruction.files import write_reconstruction
from mgc_lightning.reconstruction.meshes import compact
from mgc_lightning.reconstruction.pictures import draw_in_photograph
from mgc_lightning.reconstruction.settings import PARTS, Part
from mgc_lightning.rendering.renderer import FaceRenderer

SHOWN_SIDE = 640
"""Longer side in px of the picture in a notebook."""


@dataclass(frozen=True, repr=False)
class Reconstruction(PlacedFace):
    """Hold one reconstructed face, which a notebook shows: the overlay, and a face that turns.

    Attributes:
        face_model: that decoded it.

    Example:
        >>> from mgc_lightning import FaceReconstructor
        >>> from mgc_lightning.losses.identity import TEMPLATE_68
        >>> reconstructor = FaceReconstructor.from_pretrained()
        >>> face = reconstructor.reconstruct(torch.rand(3, 224, 224), landmarks=torch.tensor(TEMPLATE_68))
        >>> repr(face).split(",")[0]
        'Reconstruction(photograph 224 x 224 px'
        >>> face.to_trimesh(whole=True).vertices.shape
        (4032, 3)
    """

    face_model: FaceModel = field(kw_only=True, compare=False)

    def __repr__(self) -> str:
        """Say in a line what it is of."""
        height, width = self.image.shape[1:]
        low, high = (end.values.round().int().tolist() for end in (self.landmarks.min(0), self.landmarks.max(0)))
        yaw = float(yaw_degrees(self.T_cam_model[None])[0])
        return (
            f"Reconstruction(photograph {width} x {height} px, face at {low + high}, yaw {yaw:+.0f} degrees, "
            f"{self.face_model.name} of {len(self.mesh.verts)} vertices)"
        )

    def _repr_html_(self) -> str:
        """Show the overlay and a face that turns, in a notebook; nothing is fetched."""
        picture = data_uri(draw_in_photograph(self, self.face_model, FaceRenderer()), SHOWN_SIDE)
        column = "flex:1 1 260px;min-width:0;max-width:460px"
        return (
            f'<div style="display:flex;flex-wrap:wrap;gap:12px;align-items:flex-start"><div style="{column}">'
            f'<img src="{picture}" alt="The face on its photograph" style="width:100%;border-radius:8px"></div>'
            f'<div style="{column}">{viewer_frame(self.viewer())}</div></div>'
        )

    def surface(self, whole: bool = False) -> tuple[Int[Tensor, " M"], Int[Tensor, "F 3"]]:
        """Give the vertices of the face without ears, scalp and neck, and the triangles between them.

        Args:
            whole: of the whole head.
        """
        if whole:
            return torch.arange(len(self.mesh.verts), device=self.mesh.verts.device), self.mesh.faces
        return compact(self.face_model.face_region_faces)

    def viewer(self, colors: Float[Tensor, "N 3"] | None = None, title: str = "") -> dict[str, object]:
        """Give what `pictures.viewer_frame` and `pictures.viewer_page` turn.

        Args:
            colors: of the vertices, in [0, 1]; those under the predicted light if not given.
            title: what it shows.
        """
        rows, triangles = self.surface()
        shades = self.colors if colors is None else colors
        return viewer_data(self.mesh.verts[rows], triangles, shades[rows], title)

    def save(
        self,
        folder: str | os.PathLike[str],
        *,
        write: Sequence[Part] = PARTS,
        neutral: bool = False,
        full_head: bool = False,
        jpeg: bool = False,
    ) -> list[Path]:
        """Write pictures, meshes, landmarks and coefficients, as `mgc reconstruct` does; see `write_reconstruction`.

        Args:
            folder: created if need be; files of the same names are replaced.
            write: the parts.
            neutral: write the neutral shape too, with the part `mesh`.
            full_head: write the whole head too, with the part `mesh`.
            jpeg: write pictures in the photograph's pixels as `.jpg`.

        Returns:
            The files.

        Raises:
            MGCError: if a part is unknown, or the folder cannot be written to.
        """
        return write_reconstruction(
            self, folder, self.face_model, write=write, neutral=neutral, full_head=full_head, jpeg=jpeg
        )

    def to_trimesh(self, whole: bool = False) -> trimesh.Trimesh:
        """Give a mesh of trimesh: mm, model frame, pose not applied, colours under the predicted light.

        Args:
            whole: the whole head, in the face model's vertex order; else the face without ears, scalp and neck.
        """
        rows, triangles = self.surface(whole)
        colors = (self.colors[rows] * 255).round().byte().cpu().numpy()
        verts = self.mesh.verts[rows].cpu().numpy()
        return trimesh.Trimesh(verts, triangles.cpu().numpy(), vertex_colors=colors, process=False)
