"""Faces that a run has never seen, as its export sees them."""

from __future__ import annotations

from pathlib import Path

from mgc_lightning.errors import MGCError
from mgc_lightning.pictures.drawing import upscale
from mgc_lightning.pictures.embedding import data_uri
from mgc_lightning.pictures.viewer import viewer_frame
from mgc_lightning.reconstruction.pictures import FacePictures
from mgc_lightning.reconstruction.reconstructor import FaceReconstructor
from mgc_lightning.rendering.renderer import FaceRenderer
from mgc_lightning.report.faces import not_shown
from mgc_lightning.report.markup import Html, tag
from mgc_lightning.synthetic.dataset import make_triplets

SIDE = 256
"""Least side of the pictures in px."""


def unseen_faces(export: Path, count: int) -> list[Html]:
    """Reconstruct synthetic faces of the test split: picture, overlay, and the face, turning.

    Args:
        export: folder of an export; only its weights are read, no code.
        count: how many.
    """
    try:
        reconstructor = FaceReconstructor.from_pretrained(export, detector=None)
        shown = make_triplets(reconstructor.face_model, count, image_size=reconstructor.image_size, views=1)
        faces = reconstructor.reconstruct_batch(list(shown.images[:, 0]), list(shown.landmarks[:, 0]))
    except MGCError as error:
        return [not_shown("Unseen faces", error)]
    figures = []
    for number, face in enumerate(faces, start=1):
        pictures = FacePictures(face, reconstructor.face_model, FaceRenderer())
        pair = (
            tag("img", src=data_uri(upscale(picture, SIDE)), alt=what, style="flex:1;min-width:0")
            for picture, what in ((pictures["crop"], "picture"), (pictures["crop_overlay"], "overlay"))
        )
        caption = f"Unseen synthetic face {number}: picture, overlay, and as it is predicted"
        row = tag("div", *pair, style="display:flex;gap:6px;margin-bottom:6px")
        figures.append(
            tag("figure", row, Html(viewer_frame(face.viewer(title=caption), 300)), tag("figcaption", caption))
        )
    return figures
