"""What a file may ask of a backbone that is built for it."""

import pytest

from mgc_lightning.encoders.registry import stored_arguments
from mgc_lightning.encoders.resnet import ResNet
from mgc_lightning.encoders.timm_backbone import TimmBackbone
from mgc_lightning.errors import MGCError
from mgc_lightning.training.trust import trusted

TIMM = "mgc_lightning.encoders.TimmBackbone"


def test_a_file_starts_no_download() -> None:
    asked = {"name": "resnet18", "pretrained": True, "options": {"output_stride": 16}}
    assert stored_arguments(TimmBackbone, asked) == asked | {"pretrained": False}
    stored = {"backbone": {"class_path": TIMM, "init_args": asked}}
    kept, report = trusted(stored, {}, {}, [])
    assert kept["backbone"]["init_args"]["pretrained"] is False
    assert report == []
    # What the user's own config says is the user's word.
    kept, _ = trusted(stored, stored, {}, [])
    assert kept["backbone"]["init_args"]["pretrained"] is True


@pytest.mark.parametrize(
    "init_args",
    [
        {"name": "resnet18", "options": {"pretrained_cfg_overlay": {"url": "http://127.0.0.1:9/weights.pth"}}},
        {"name": "resnet18", "options": {"checkpoint_path": "weights.pth"}},
        {"name": "hf-hub:somebody/net"},
        {"name": "local-dir:folder"},
    ],
)
def test_a_file_names_no_other_place_to_load_from(init_args) -> None:
    with pytest.raises(MGCError, match="from elsewhere"):
        stored_arguments(TimmBackbone, init_args)
    with pytest.raises(MGCError, match="from elsewhere"):
        trusted({"backbone": {"class_path": TIMM, "init_args": init_args}}, {}, {}, [])


def test_other_backbones_take_what_is_stored() -> None:
    assert stored_arguments(ResNet, {"depth": 18, "width": 8}) == {"depth": 18, "width": 8}
