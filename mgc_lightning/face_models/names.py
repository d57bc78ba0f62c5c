"""Face models by name: the embedded one, and those of others that can be converted; nothing here imports torch."""

from __future__ import annotations

from typing import Literal

EMBEDDED = "makehuman"
"""Name of the model that ships with the package."""
ImportedModel = Literal["bfm09", "bfm09-deep3d", "bfm17", "bfm19", "flame2020", "flame2023", "ict"]
"""Models that their owners distribute, and `mgc face-model import` converts."""
OWNERS_FILES: dict[ImportedModel, str] = {
    "bfm09": "bfm09_trim_exp_uv_presplit.h5 of MGCNet",
    "bfm09-deep3d": "BFM_model_front.mat of Deep3DFaceRecon",
    "bfm17": "model2017-1_bfm_nomouth.h5 or model2017-1_face12_nomouth.h5",
    "bfm19": "model2019_bfm.h5, model2019_face12.h5 or model2019_fullHead.h5",
    "flame2020": "folder with generic_model.pkl and a landmark embedding",
    "flame2023": "folder with flame2023.pkl and a landmark embedding",
    "ict": "folder FaceXModel of ICT-FaceKit",
}
"""What each is converted from."""
