"""Choices live once, as a `Literal`; what is none of them is told with the nearest."""

from dataclasses import fields
from typing import Literal, get_args

import pytest

from mgc_lightning.coefficients import CoefficientGroup, FaceCoefficients
from mgc_lightning.errors import MGCError, check_choice, nearest

View = Literal["frontal", "side"]


def test_choices_pass() -> None:
    for view in get_args(View):
        check_choice("view", view, View)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("frontl", "`view` must be one of frontal, side; got 'frontl'. Did you mean 'frontal'?"),
        ("above", "`view` must be one of frontal, side; got 'above'"),
        (None, "`view` must be one of frontal, side; got None"),
    ],
)
def test_others_are_told_with_the_nearest(value, message) -> None:
    with pytest.raises(MGCError) as error:
        check_choice("view", value, View)
    assert str(error.value) == message


def test_nearest() -> None:
    assert nearest("pixle", ["depth", "pixel"]) == "pixel"
    assert nearest("xyz", ["depth", "pixel"]) is None


def test_groups_of_coefficients_are_the_fields() -> None:
    assert get_args(CoefficientGroup) == tuple(field.name for field in fields(FaceCoefficients))
