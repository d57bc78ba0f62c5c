"""What a program without this package needs to use an exported network: crops, coefficients, triangles, units."""

from __future__ import annotations

import json
from typing import Any

from mgc_lightning.geometry.landmarks68 import FIVE_POINTS, TEMPLATE_5, TEMPLATE_SIZE
from mgc_lightning.networks.face_network import FaceNetwork

INTERFACE_KEY = "mgc_interface"
"""Entry of the metadata of ONNX files; `interface` in network.json."""
_PARTS = {
    "jaw": 17, "right_brow": 5, "left_brow": 5, "nose_bridge": 4, "nose_base": 5, "right_eye": 6, "left_eye": 6,
    "outer_lip": 12, "inner_lip": 8,
}  # fmt: skip
"""Parts of iBUG's 68 landmarks in their order; right and left are the person's."""
LANDMARK_NAMES = tuple(f"{part}_{number}" for part, count in _PARTS.items() for number in range(1, count + 1))


def describe_interface(network: FaceNetwork) -> dict[str, Any]:
    """Describe in plain, JSON-able values what goes into a network and what comes out.

    Returns:
        `input`, `crop` (size, template and how a photograph is aligned), `coefficients` (slices, names, units),
        `verts`, `triangles`, `landmarks`, `K` and `frames`.

    Example:
        >>> from mgc_lightning import load_network
        >>> about = describe_interface(load_network())
        >>> about["coefficients"]["slices"]["expression"], len(about["triangles"]), about["landmarks"]["names"][30]
        ([120, 172], 7880, 'nose_bridge_4')
    """
    model, size = network.face_model, network.image_size
    scale = size / TEMPLATE_SIZE
    return {
        "input": {
            "name": "images",
            "shape": ["B", 3, size, size],
            "values": "RGB in [0, 1] as the file has it (display space), channels first, of aligned crops",
        },
        "crop": {
            "size": size,
            "template": [[round(x * scale, 6), round(y * scale, 6)] for x, y in TEMPLATE_5],
            "points": ["right eye", "left eye", "nose base", "right mouth corner", "left mouth corner"],
            "points_from_68": [list(range(part.start, part.stop)) for part in FIVE_POINTS],
            "alignment": (
                "crop = M [u, v, 1]: the similarity M without reflection that brings the five points of the photograph "
                "onto the template with the least squares; the centre of the first pixel is (.5, .5) in both"
            ),
            "sampling": (
                "bilinear at M^-1 of each pixel's centre, the border repeated; where M shrinks by s < .5, the "
                "photograph is shrunk first by 1.5 s (triangle filter)"
            ),
        },
        "coefficients": {
            "output": "coefficients",
            "slices": {name: [part.start, part.stop] for name, part in network.layout.slices.items()},
            "names": {"pose": ["rz", "ry", "rx", "tx", "ty", "tz"], "expression": list(model.expression_names)},
            "units": {
                "identity": "standard deviations",
                "albedo": "standard deviations",
                "expression": "weights of blendshapes in [0, 1] where there are names, else standard deviations",
                "pose": "radians and mm: T_cam_model, R = Rx(rx) Ry(ry) Rz(rz)",
                "light": "spherical harmonics, 9 bands of R, then of G, then of B, in the frame of the head",
            },
        },
        "verts": {"output": "verts", "shape": ["B", model.num_verts, 3], "unit": "mm", "frame": "model"},
        "triangles": model.faces.tolist(),
        "landmarks": {
            "output": "landmarks",
            "shape": ["B", 68, 2],
            "unit": "px of the crop",
            "convention": "iBUG 68; right and left are the person's",
            "names": list(LANDMARK_NAMES),
        },
        "K": network.K.tolist(),
        "frames": {
            "model": "x to the viewer's right, y up, z toward the viewer; triangles turn outward by the right hand",
            "camera": "x right, y down, z forward; X_cam = R X_model + t in mm, u = K X_cam / z",
        },
    }


def readable_json(value: Any, indent: int = 2, level: int = 0) -> str:
    """Write JSON with a line an entry, and lists in one line: thousands of triangles would be as many lines.

    Example:
        >>> print(readable_json({"size": 96, "crop": {"template": [[1, 2], [3, 4]]}}))
        {
          "size": 96,
          "crop": {
            "template": [[1, 2], [3, 4]]
          }
        }
    """
    if not isinstance(value, dict) or not value:
        return json.dumps(value, ensure_ascii=False)
    pad = " " * indent * (level + 1)
    rows = [f"{pad}{json.dumps(key)}: {readable_json(each, indent, level + 1)}" for key, each in value.items()]
    return "{\n" + ",\n".join(rows) + "\n" + " " * indent * level + "}"
