"""One sample as files: three crops, three skin masks, and a JSON with the rest."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from PIL import Image
from torch import Tensor

from mgc_lightning.errors import MGCError
from mgc_lightning.files.images import open_image
from mgc_lightning.files.reading import excerpt, reason
from mgc_lightning.files.text import parse_json

FORMAT = 1
"""Version of the layout of a sample."""


@dataclass
class ViewFiles:
    """Hold one view, encoded.

    Attributes:
        image: JPEG of the crop.
        skin: grey JPEG of the skin probability.
        facts: name, landmarks (68 x 2 px), yaw, capture, crop_from_image, ...
    """

    image: bytes
    skin: bytes
    facts: dict[str, Any]


@dataclass
class Sample:
    """Hold one decoded sample.

    Attributes:
        images: (V, 3, S, S) RGB, target first.
        skin: (V, 1, S, S) probability of skin.
        landmarks: (V, 68, 2) px.
        link: 0, 1 or 2.
        name: of the sample.
        person: (V,) who each view shows: equal numbers are one person.
        facts: of the sample and its views.
        landmark_weights: (V, 68) how far each landmark is to be trusted, in [0, 1].
    """

    images: UInt8[Tensor, "V 3 S S"]
    skin: UInt8[Tensor, "V 1 S S"]
    landmarks: Float[Tensor, "V 68 2"]
    link: int
    name: str
    person: Int64[Tensor, " V"]
    facts: dict[str, Any] = field(default_factory=dict)
    landmark_weights: Float[Tensor, "V 68"] | None = None


def encode_jpeg(image: Float[Tensor, "C S S"], quality: int) -> bytes:
    """Encode an image in [0, 1], colours at full resolution.

    Example:
        >>> data = encode_jpeg(torch.full((3, 16, 16), 0.5), quality=95)
        >>> decode_jpeg(data).shape, decode_jpeg(data).float().mean().round().item()
        (torch.Size([3, 16, 16]), 128.0)
    """
    array = (image.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    stream = io.BytesIO()
    Image.fromarray(array[..., 0] if array.shape[2] == 1 else array).save(
        stream, format="JPEG", quality=quality, subsampling=0
    )
    return stream.getvalue()


def decode_jpeg(data: bytes, mode: str = "RGB") -> UInt8[Tensor, "C H W"]:
    """Decode an image of mode RGB or L.

    Example:
        >>> grey = torch.full((1, 8, 8), 0.5)
        >>> decode_jpeg(encode_jpeg(grey, 95), "L").unique()
        tensor([128], dtype=torch.uint8)
    """
    with open_image(io.BytesIO(data), "JPEG of a sample") as image:
        array = np.array(image.convert(mode))
    return torch.from_numpy(array[None] if mode == "L" else np.ascontiguousarray(array.transpose(2, 0, 1)))


def sample_files(views: list[ViewFiles], link: int, key: str, persons: Sequence[int] | None = None) -> dict[str, Any]:
    """Give the files of a sample by their endings, as webdataset writes them.

    Args:
        views: target first.
        link: 0, 1 or 2.
        key: the sample's name in its shard.
        persons: who each view shows, equal numbers for one person; None where nobody knows.

    Example:
        >>> facts = {"name": "anna/1", "landmarks": [[1.0, 2.0]] * 68}
        >>> view = ViewFiles(encode_jpeg(torch.rand(3, 8, 8), 95), encode_jpeg(torch.ones(1, 8, 8), 95), facts)
        >>> sample = decode_sample(sample_files([view] * 3, link=0, key="0001", persons=[0, 0, 1]))
        >>> sample.images.shape, sample.landmarks.shape, sample.person.tolist()
        (torch.Size([3, 3, 8, 8]), torch.Size([3, 68, 2]), [0, 0, 1])
    """
    files: dict[str, Any] = {"__key__": key}
    for place, view in enumerate(views):
        files[f"{place}.jpg"] = view.image
        files[f"{place}.skin.jpg"] = view.skin
    facts: dict[str, Any] = {"format": FORMAT, "link": link, "views": [view.facts for view in views]}
    if persons is not None:
        facts["person"] = list(persons)
    files["json"] = json.dumps(facts, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    return files


def decode_sample(files: Mapping[str, Any]) -> Sample:
    """Decode the files of a sample.

    Raises:
        MGCError: if a file is missing or damaged, or of a later format.
    """
    key = excerpt(str(files.get("__key__", "?")))
    try:
        facts = parse_json(files["json"], f"Sample {key}")
        if facts["format"] > FORMAT:
            raise MGCError(f"Sample {key} has format {facts['format']}, newer than this program's {FORMAT}: update it")
        views = range(len(facts["views"]))
        landmarks = np.array([view["landmarks"] for view in facts["views"]], dtype=np.float32)
        return Sample(
            torch.stack([decode_jpeg(files[f"{v}.jpg"]) for v in views]),
            torch.stack([decode_jpeg(files[f"{v}.skin.jpg"], "L") for v in views]),
            torch.from_numpy(landmarks.reshape(len(landmarks), 68, 2)),
            int(facts["link"]),
            key,
            _persons(facts, len(views)),
            facts,
            torch.tensor([view.get("landmark_weights", [1.0] * 68) for view in facts["views"]]).reshape(-1, 68),
        )
    except (LookupError, ValueError, OSError, TypeError, AttributeError, OverflowError, RuntimeError) as error:
        raise MGCError(f"Sample {key} is damaged ({reason(error)}); prepare the set again") from error


def persons_by_link(link: int, views: int) -> list[int]:
    """Say who the views of a sample show where only its link is known: one person if linked, else strangers.

    Samples that earlier versions wrote are read so: whether their unlinked views show one person, they do not say.

    Example:
        >>> persons_by_link(2, 3), persons_by_link(0, 3)
        ([0, 0, 0], [0, 1, 2])
    """
    return [0] * views if link > 0 else list(range(views))


def _persons(facts: Mapping[str, Any], views: int) -> Int64[Tensor, " V"]:
    persons = facts.get("person", persons_by_link(facts["link"], views))
    if not isinstance(persons, list) or len(persons) != views or not all(isinstance(p, int) for p in persons):
        raise ValueError(f"expected `person` to be {views} numbers, got {persons!r}")
    return torch.tensor(persons, dtype=torch.int64)
