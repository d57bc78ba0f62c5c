"""Synthetic REALY data: the official layout, reproducible."""

import pytest

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import load_face_model
from mgc_lightning.synthetic.realy_set import REALYSetSettings, write_realy_set


def test_the_same_seed_gives_the_same_set(realy_set, tmp_path):
    settings = REALYSetSettings(subjects=1, views=0, image_size=96)
    for name in ("a", "b"):
        write_realy_set(tmp_path / name, load_face_model(), settings)
    for file in ("REALY_scan_region/1/nose.obj", "REALY_HIFI3D_keypoints/1.obj", "REALY_image/1.jpg"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    readme = (realy_set / "README.txt").read_text()
    assert "seed 0" in readme
    assert "CC0" in readme
    with pytest.raises(MGCError, match="new or an empty folder"):
        write_realy_set(tmp_path / "a", load_face_model(), settings)


def test_bad_settings():
    for wrong in ({"subjects": 0}, {"views": -1}, {"image_size": 16}, {"seed": -1}):
        with pytest.raises(MGCError, match=f"`{next(iter(wrong))}` must be a whole number of at least"):
            REALYSetSettings(**wrong)
