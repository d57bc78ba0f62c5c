"""What W&B's distributions mean, by their known quantiles."""

import math

import numpy as np
import pytest

from mgc_lightning.errors import MGCError
from mgc_lightning.sweeps.space import make_parameter


def values(entry: dict, count: int = 2001) -> np.ndarray:
    """Draw evenly over the line that Optuna draws from."""
    made = make_parameter("x", entry)
    draws = np.geomspace(made.low, made.high, count) if made.log else np.linspace(made.low, made.high, count)
    return np.array([made.to_value(draw) for draw in draws])


@pytest.mark.parametrize(
    ("entry", "least", "median", "most"),
    [
        ({"min": 0.0, "max": 4.0}, 0, 2, 4),
        ({"distribution": "uniform", "min": 1, "max": 4}, 1, 2.5, 4),
        ({"distribution": "q_uniform", "min": 0.0, "max": 1.0, "q": 0.25}, 0, 0.5, 1),
        ({"distribution": "log_uniform", "min": -4, "max": 2}, math.exp(-4), math.exp(-1), math.exp(2)),
        ({"distribution": "log_uniform_values", "min": 1e-4, "max": 1e-2}, 1e-4, 1e-3, 1e-2),
        ({"distribution": "inv_log_uniform", "min": -4, "max": 2}, math.exp(-2), math.exp(1), math.exp(4)),
        ({"distribution": "inv_log_uniform_values", "min": 1e-4, "max": 1e-2}, 1e-4, 1e-3, 1e-2),
        ({"distribution": "q_log_uniform_values", "min": 2, "max": 512, "q": 2}, 2, 32, 512),
        ({"distribution": "q_log_uniform", "min": 0, "max": 4, "q": 1}, 1, 7, 55),
        ({"distribution": "normal", "mu": 3, "sigma": 0.5}, 3 - 0.5 * 4.753, 3, 3 + 0.5 * 4.753),
        ({"distribution": "log_normal", "mu": 1, "sigma": 0.1}, math.exp(1 - 0.4753), math.exp(1), math.exp(1.4753)),
        ({"distribution": "q_normal", "mu": 0, "sigma": 10, "q": 5}, -50, 0, 50),
        ({"distribution": "q_log_normal", "mu": 1, "sigma": 0.1, "q": 1}, 2, 3, 4),
        ({"distribution": "beta", "a": 2, "b": 2}, 0.0006, 0.5, 0.9994),
        ({"distribution": "q_beta", "a": 2, "b": 2, "q": 0.5}, 0, 0.5, 1),
    ],
)
def test_distributions(entry, least, median, most) -> None:
    drawn = np.sort(values(entry))
    for found, expected in zip((drawn[0], np.median(drawn), drawn[-1]), (least, median, most), strict=True):
        assert found == pytest.approx(expected, rel=2e-3, abs=2e-4)


def test_whole_numbers_and_choices() -> None:
    made = make_parameter("x", {"min": 2, "max": 4})
    assert made.distribution == "int_uniform"
    assert made.grid() == [2, 3, 4]
    rounded = make_parameter("x", {"distribution": "q_uniform", "min": 0, "max": 9, "q": 3})
    assert rounded.to_value(5.2) == 6
    assert isinstance(rounded.to_value(5.2), int)
    nested = {"class_path": "mine.Net", "init_args": {"depth": 18}}
    made = make_parameter("x", {"values": [None, True, nested, "a"]})
    assert [made.to_value(draw) for draw in made.grid()] == [None, True, nested, "a"]
    weighed = values({"values": ["a", "b", "c"], "probabilities": [0.2, 0.0, 0.8]}, 1001)
    assert (weighed == "a").mean() == pytest.approx(0.2, abs=0.01)
    assert not (weighed == "b").any()


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({}, "needs `value`, `values`, or `min` and `max`"),
        ({"min": 0.1}, "needs `max`"),
        ({"min": 2.0, "max": 1.0}, "`min` 2.0 is above `max` 1.0"),
        ({"min": "1e-3", "max": 1.0}, "`min` must be a number, such as 1.0e-3; got '1e-3'"),
        ({"values": []}, "`values` must be a list"),
        ({"values": [1, 2], "probabilities": [0.5, 0.4]}, "2 numbers that add up to 1"),
        ({"distribution": "log_uniform_values", "min": 0.0, "max": 1.0}, "must be above 0"),
        ({"distribution": "loguniform", "min": 0.1, "max": 1.0}, "Did you mean 'log_uniform'"),
        ({"distribution": "normal", "mu": 0, "sigma": 0}, "`sigma` must be above 0"),
        ({"min": 0.1, "max": 1.0, "q": 0.1}, "takes `min`, `max`; got `q`"),
        ({"distribution": "int_uniform", "min": 0.5, "max": 2}, "whole numbers"),
    ],
)
def test_mistakes_are_told(entry, said) -> None:
    with pytest.raises(MGCError) as error:
        make_parameter("model.lr", entry)
    assert said in str(error.value)
    assert "`model.lr`" in str(error.value)
