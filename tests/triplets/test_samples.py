"""A sample says who is who; samples that earlier versions wrote do not, and nothing is assumed of them."""

import json

import pytest
import torch
from triplet_sets import files_of, write_official

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import load_face_model
from mgc_lightning.synthetic.dataset import make_triplets
from mgc_lightning.synthetic.settings import SyntheticSettings
from mgc_lightning.triplets.dataset import TripletDataset, to_triplet
from mgc_lightning.triplets.official import OfficialLayout
from mgc_lightning.triplets.samples import decode_sample

SIZE = 32


def make(linked, unlinked):
    settings = SyntheticSettings(linked=linked, unlinked=unlinked)
    return make_triplets(load_face_model(), 2, image_size=SIZE, settings=settings)


@pytest.mark.parametrize(("linked", "unlinked", "persons"), [(1, 0, [0, 0, 0]), (0, 1, [0, 0, 0]), (0, 0, [0, 1, 2])])
def test_persons_are_written_and_read(linked, unlinked, persons):
    assert decode_sample(files_of(make(linked, unlinked), 0, "a")).person.tolist() == persons


def without_persons(files):
    facts = json.loads(files["json"])
    del facts["person"]
    return {**files, "json": json.dumps(facts).encode()}


@pytest.mark.parametrize(("linked", "unlinked", "persons"), [(1, 0, [0, 0, 0]), (0, 1, [0, 1, 2]), (0, 0, [0, 1, 2])])
def test_samples_of_earlier_versions(linked, unlinked, persons):
    """One moment has one person; whether unlinked views do, the sample does not say: never equal by assumption."""
    files = without_persons(files_of(make(linked, unlinked), 0, "a"))
    assert decode_sample(files).person.tolist() == persons


@pytest.mark.parametrize("persons", [[0, 0], "000", [0, 0, None], 3])
def test_damaged_persons_are_named(persons):
    files = files_of(make(1, 0), 0, "the sample")
    facts = json.loads(files["json"]) | {"person": persons}
    with pytest.raises(MGCError, match="the sample is damaged .*`person` to be 3 numbers"):
        decode_sample({**files, "json": json.dumps(facts).encode()})


def test_official_lists_know_one_person_by_their_flag(tmp_path):
    batch = make_triplets(load_face_model(), 2, image_size=SIZE, settings=SyntheticSettings(linked=1, unlinked=0))
    batch.link = torch.tensor([0, 2])
    write_official(tmp_path, batch)
    layout = OfficialLayout(tmp_path, "train", val_share=0)
    data = TripletDataset(layout, SIZE)
    assert [data[index]["person"].tolist() for index in range(2)] == [[0, 1, 2], [0, 0, 0]]
    collated = torch.utils.data.default_collate([data[0], data[1]])
    assert to_triplet(collated).persons().tolist() == [[0, 1, 2], [0, 0, 0]]
