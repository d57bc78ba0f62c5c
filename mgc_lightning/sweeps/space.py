"""The parameters of a sweep: what W&B's file says of one, and how Optuna draws it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from mgc_lightning.errors import MGCError, not_among

Distribution = Literal[
    "constant",
    "categorical",
    "categorical_w_probabilities",
    "int_uniform",
    "uniform",
    "q_uniform",
    "log_uniform",
    "log_uniform_values",
    "q_log_uniform",
    "q_log_uniform_values",
    "inv_log_uniform",
    "inv_log_uniform_values",
    "normal",
    "q_normal",
    "log_normal",
    "q_log_normal",
    "beta",
    "q_beta",
]
"""Those of W&B's sweep files."""
TAIL = 1e-6
"""Share of an unbounded distribution that is left out on either side: a search needs ends."""
_ROUNDED = {name for name in get_args(Distribution) if name.startswith("q_")}
_SPAN = {"min": ..., "max": ...}
_BELL = {"mu": 0.0, "sigma": 1.0}
_KEYS: dict[str, dict[str, Any]] = {
    "constant": {"value": ...},
    "categorical": {"values": ...},
    "categorical_w_probabilities": {"values": ..., "probabilities": ...},
    "int_uniform": _SPAN,
    "uniform": _SPAN,
    "q_uniform": _SPAN | {"q": 1},
    "log_uniform": _SPAN,
    "log_uniform_values": _SPAN,
    "q_log_uniform": _SPAN | {"q": 1},
    "q_log_uniform_values": _SPAN | {"q": 1},
    "inv_log_uniform": _SPAN,
    "inv_log_uniform_values": _SPAN,
    "normal": _BELL,
    "q_normal": _BELL | {"q": 1},
    "log_normal": _BELL,
    "q_log_normal": _BELL | {"q": 1},
    "beta": {"a": ..., "b": ...},
    "q_beta": {"a": ..., "b": ..., "q": 1},
}
"""Keys of each, with their defaults; `...` where there is none."""


@dataclass(frozen=True)
class Parameter:
    """Hold one parameter: a line of numbers that is drawn from, or choices, and how a draw becomes a value.

    Attributes:
        name: dotted, as on the command line of `lightning fit`.
        distribution: one of W&B's.
        choices: of a constant, a categorical, or a grid over whole numbers; else empty.
        low: least draw.
        high: greatest draw.
        log: draws are uniform in their logarithms.
        whole: draws are whole numbers.
        to_value: a draw to a value.

    Example:
        >>> rate = make_parameter("lr", {"distribution": "log_uniform_values", "min": 1.0e-4, "max": 1.0e-2})
        >>> rate.low, rate.high, rate.log
        (0.0001, 0.01, True)
        >>> make_parameter("width", {"min": 8, "max": 32}).distribution
        'int_uniform'
    """

    name: str
    distribution: Distribution
    choices: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    whole: bool = False
    to_value: Callable[[Any], Any] = lambda draw: draw

    @property
    def log_values(self) -> bool:
        """Say whether its values are best drawn on a logarithmic axis."""
        return not self.choices and "log" in self.distribution

    def grid(self) -> list[Any]:
        """Give all draws, for the method `grid`.

        Raises:
            MGCError: if there are endlessly many.
        """
        if self.choices:
            return [json.dumps(choice) for choice in self.choices]
        if self.whole:
            return list(range(int(self.low), int(self.high) + 1))
        raise MGCError(
            f"The parameter `{self.name}`: the method `grid` needs `values` or whole numbers, got `{self.distribution}`"
        )


def make_parameter(name: str, entry: Any) -> Parameter:
    """Read what a sweep file says of a parameter.

    Args:
        name: dotted.
        entry: `value`, `values`, `min` and `max`, or a `distribution` with its keys.

    Raises:
        MGCError: if that is no parameter, with its name and what was expected.

    Example:
        >>> make_parameter("depth", {"values": [18, 50]}).grid()
        ['18', '50']
        >>> make_parameter("lr", {"min": 0.1})
        Traceback (most recent call last):
        mgc_lightning.errors.MGCError: The parameter `lr` (uniform) needs `max`
    """
    if not isinstance(entry, Mapping) or not entry:
        raise MGCError(f"The parameter `{name}` needs `value`, `values`, or `min` and `max`; got {entry!r}")
    kind = _distribution(name, entry)
    keys = _KEYS[kind]
    unknown = [str(key) for key in entry if key not in {*keys, "distribution"}]
    if unknown:
        raise MGCError(f"The parameter `{name}` ({kind}) takes {_listed(keys)}; got `{unknown[0]}`")
    given = {key: entry.get(key, default) for key, default in keys.items()}
    missing = [key for key, value in given.items() if value is ...]
    if missing:
        raise MGCError(f"The parameter `{name}` ({kind}) needs {_listed(missing)}")
    _check_numbers(name, kind, given)
    parameter = _of(name, kind, given)
    return parameter if kind not in _ROUNDED else _rounded(parameter, given["q"])


def _distribution(name: str, entry: Mapping[str, Any]) -> Distribution:
    kind = entry.get("distribution")
    if kind is None:
        if "value" in entry:
            return "constant"
        if "values" in entry:
            return "categorical_w_probabilities" if "probabilities" in entry else "categorical"
        whole = all(isinstance(entry.get(key), int) for key in ("min", "max"))
        return "int_uniform" if whole else "uniform"
    if kind not in get_args(Distribution):
        raise MGCError(not_among(f"The distribution of the parameter `{name}`", kind, get_args(Distribution)))
    return "categorical_w_probabilities" if kind == "categorical" and "probabilities" in entry else kind


def _check_numbers(name: str, kind: Distribution, given: Mapping[str, Any]) -> None:
    for key, value in given.items():
        if key in ("value", "values", "probabilities"):
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            # YAML reads 1e-3 as text: it wants a point.
            raise MGCError(f"The parameter `{name}`: `{key}` must be a number, such as 1.0e-3; got {value!r}")
        if key in ("q", "sigma", "a", "b") and value <= 0:
            raise MGCError(f"The parameter `{name}`: `{key}` must be above 0; got {value!r}")
    if "min" in given:
        if given["min"] > given["max"]:
            raise MGCError(f"The parameter `{name}`: `min` {given['min']} is above `max` {given['max']}")
        if kind.endswith("log_uniform_values") and given["min"] <= 0:
            raise MGCError(f"The parameter `{name}`: `min` of {kind} must be above 0; got {given['min']}")
        if kind == "int_uniform" and not all(isinstance(given[key], int) for key in ("min", "max")):
            raise MGCError(f"The parameter `{name}`: `min` and `max` of int_uniform must be whole numbers")
    values = given.get("values", [0])
    if not isinstance(values, list) or not values:
        raise MGCError(f"The parameter `{name}`: `values` must be a list of at least one; got {values!r}")


def _of(name: str, kind: Distribution, given: Mapping[str, Any]) -> Parameter:
    if kind in ("constant", "categorical"):
        choices = tuple(given["values"]) if kind == "categorical" else (given["value"],)
        return Parameter(name, kind, choices, to_value=json.loads)
    if kind == "categorical_w_probabilities":
        return _weighed(name, list(given["values"]), given["probabilities"])
    if kind == "int_uniform":
        return Parameter(name, kind, low=given["min"], high=given["max"], whole=True, to_value=int)
    if "uniform" in kind:
        low, high = float(given["min"]), float(given["max"])
        if kind.endswith("_values"):
            return Parameter(name, kind, low=low, high=high, log=True)
        if "log" in kind:
            sign = -1.0 if kind.startswith("inv") else 1.0
            return Parameter(name, kind, low=low, high=high, to_value=lambda draw: math.exp(sign * draw))
        return Parameter(name, kind, low=low, high=high)
    from scipy import stats

    law = stats.beta(given["a"], given["b"]) if "beta" in kind else stats.norm(given["mu"], given["sigma"])
    last = math.exp if "log" in kind else float
    return Parameter(name, kind, low=TAIL, high=1 - TAIL, to_value=lambda draw: last(float(law.ppf(draw))))


def _weighed(name: str, values: list[Any], probabilities: Any) -> Parameter:
    right = (
        isinstance(probabilities, list)
        and len(probabilities) == len(values)
        and all(isinstance(p, int | float) and p >= 0 for p in probabilities)
        and math.isclose(sum(probabilities), 1.0, abs_tol=1e-6)
    )
    if not right:
        raise MGCError(
            f"The parameter `{name}`: `probabilities` must be {len(values)} numbers that add up to 1; "
            f"got {probabilities!r}"
        )
    ends = np.cumsum(probabilities)

    def value(draw: float) -> Any:
        return values[min(int(np.searchsorted(ends, draw, side="right")), len(values) - 1)]

    return Parameter(name, "categorical_w_probabilities", to_value=value)


def _rounded(parameter: Parameter, q: float) -> Parameter:
    """Round values to multiples of q, to whole numbers where q is one, as W&B does."""
    exact = parameter.to_value

    def value(draw: float) -> float:
        nearest = round(exact(draw) / q)
        return nearest * q if isinstance(q, int) else float(f"{nearest * q:.12g}")

    return Parameter(
        parameter.name,
        parameter.distribution,
        low=parameter.low,
        high=parameter.high,
        log=parameter.log,
        to_value=value,
    )


def _listed(keys: Any) -> str:
    return ", ".join(f"`{key}`" for key in keys)
