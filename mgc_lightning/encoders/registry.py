"""Backbones by name: how a network is written down and built again, importing nothing a file asks for."""

from __future__ import annotations

import functools
import inspect
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any, TypeVar

from torch import nn

from mgc_lightning.encoders.encoder import Encoder
from mgc_lightning.encoders.official_resnet import OfficialResNet
from mgc_lightning.encoders.resnet import ResNet
from mgc_lightning.encoders.timm_backbone import TimmBackbone
from mgc_lightning.errors import MGCError
from mgc_lightning.files.allowance import TensorAllowance
from mgc_lightning.own_code import import_modules

B = TypeVar("B", bound=type[nn.Module])

BACKBONES: dict[str, type[nn.Module]] = {cls.__name__: cls for cls in (ResNet, OfficialResNet, TimmBackbone)}
"""Classes that a stored network may name. Of others, only those of modules that the user names are built."""
OURS = "mgc_lightning."
_CLASS_PATH = re.compile(r"[^\W\d]\w*(\.([^\W\d]\w*|<locals>))*")


def register_backbone(cls: B) -> B:
    """Let stored networks name this class, and write down the arguments of its objects; use it as a decorator.

    A backbone maps images (B, 3, H, W) to a feature map (B, `num_features`, h, w). A class that keeps its arguments
    in an attribute `config` of its own is left to do so.

    Raises:
        MGCError: if another class of that name is registered.

    Example:
        >>> @register_backbone
        ... class Tiny(nn.Sequential):
        ...     def __init__(self, width: int = 8):
        ...         super().__init__(nn.Conv2d(3, width, 3, stride=8))
        ...         self.num_features = width
        >>> describe_backbone(Tiny(4))["init_args"]
        {'width': 4}
        >>> del BACKBONES["Tiny"]
    """
    known = BACKBONES.get(cls.__name__)
    if known is not None and class_path(known) != class_path(cls):
        raise MGCError(
            f"The backbone `{class_path(cls)}` cannot be registered: `{class_path(known)}` has the same name. Rename it"
        )
    BACKBONES[cls.__name__] = cls
    _record_arguments(cls)
    return cls


def _record_arguments(cls: type[nn.Module]) -> None:
    original = cls.__init__
    signature = inspect.signature(original)

    @functools.wraps(original)
    def init(self: nn.Module, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        if type(self) is cls:
            bound = signature.bind(self, *args, **kwargs)
            bound.apply_defaults()
            _, *names = signature.parameters
            record_init_args(self, _keywords(signature, {name: bound.arguments[name] for name in names}))

    cls.__init__ = init  # type: ignore[method-assign]


def _keywords(signature: inspect.Signature, arguments: Mapping[str, Any]) -> dict[str, Any] | None:
    """Give arguments as keywords; None where some cannot be passed so."""
    keywords: dict[str, Any] = {}
    for name, value in arguments.items():
        kind = signature.parameters[name].kind
        if kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.POSITIONAL_ONLY):
            if value:
                return None
        elif kind is inspect.Parameter.VAR_KEYWORD:
            keywords |= value
        else:
            keywords[name] = value
    return keywords


def record_init_args(backbone: nn.Module, init_args: Mapping[str, Any] | None) -> None:
    """Write down with what arguments a backbone was made, for `describe_backbone`."""
    object.__setattr__(backbone, "_mgc_init_args", None if init_args is None else dict(init_args))


def init_args_of(backbone: nn.Module) -> dict[str, Any] | None:
    """Give the arguments that a backbone was made with: its `config`, else what was recorded; None if unknown."""
    for found in (getattr(backbone, "config", None), getattr(backbone, "_mgc_init_args", None)):
        if isinstance(found, Mapping):
            return dict(found)
    return None


def class_path(cls: type) -> str:
    """Give the name by which a class is imported, `module.Class`."""
    return f"{cls.__module__}.{cls.__qualname__}"


def is_ours(cls: type) -> bool:
    """Tell whether a class is of this package."""
    return cls.__module__.startswith(OURS)


def describe_backbone(backbone: nn.Module) -> dict[str, Any]:
    """Write down the class of a backbone, and its arguments where they are known and plain.

    Example:
        >>> describe_backbone(ResNet(18, width=8))["class_path"]
        'mgc_lightning.encoders.resnet.ResNet'
    """
    init_args = init_args_of(backbone)
    return {
        "class": type(backbone).__name__,
        "class_path": class_path(type(backbone)),
        "init_args": None if init_args is None or not_plain(init_args) else init_args,
    }


def describe_encoder(encoder: Encoder) -> dict[str, Any]:
    """Write down an encoder: its backbone and the sizes of its head; weights not included.

    Example:
        >>> from mgc_lightning.encoders import Encoder
        >>> description = describe_encoder(Encoder(ResNet(18), num_outputs=205))
        >>> description["backbone"]["init_args"], description["num_outputs"]
        ({'depth': 18, 'width': 64, 'normalise': True}, 205)
    """
    reduce = encoder.head.reduce
    return {
        "backbone": describe_backbone(encoder.backbone),
        "num_outputs": encoder.num_outputs,
        "spatial_channels": 0 if reduce is None else reduce.out_channels,
        "spatial_size": encoder.head.spatial_size,
    }


def same_encoder(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Tell whether two descriptions are of one architecture, as far as both say.

    Earlier descriptions have no class path; modules move; arguments may be unknown.
    """
    backbones = [description["backbone"] for description in (first, second)]
    sizes = [{key: description[key] for key in description if key != "backbone"} for description in (first, second)]
    known = [backbone["init_args"] for backbone in backbones if backbone["init_args"] is not None]
    names = {backbone["class"] for backbone in backbones}
    ours = {backbone["class_path"].startswith(OURS) for backbone in backbones if backbone.get("class_path")}
    return sizes[0] == sizes[1] and len(names) == 1 and len(ours) < 2 and all(args == known[0] for args in known)


def build_encoder(description: Mapping[str, Any], imports: Sequence[str] = (), most: int | None = None) -> Encoder:
    """Build the encoder that `describe_encoder` wrote down, with fresh weights.

    Args:
        description: of a file that anybody may have written: it names a class, and imports nothing.
        imports: modules that the user names: they are imported, and what they define may be built.
        most: numbers that a network of this package may have; any if not given.

    Raises:
        MGCError: if the backbone is neither registered nor of a named module, its arguments are not known or not
            accepted, or it is larger than allowed.

    Example:
        >>> description = describe_encoder(Encoder(ResNet(18, width=8), num_outputs=205))
        >>> build_encoder(description).num_outputs
        205
    """
    stored = description["backbone"]
    name, init_args = stored.get("class_path") or stored["class"], stored["init_args"]
    cls = _find_class(stored, imports)
    if init_args is None:
        raise MGCError(f"The stored network does not say how its backbone `{name}` was made. {HOW_TO_TELL}")
    sizes = {key: description[key] for key in ("num_outputs", "spatial_channels", "spatial_size")}
    try:
        init_args = stored_arguments(cls, init_args)
        with nullcontext() if most is None or not is_ours(cls) else TensorAllowance(most):
            backbone = cls(**init_args)
            # What is known once stays known: an export of a loaded network can be loaded, too.
            record_init_args(backbone, init_args)
            return Encoder(backbone, **sizes)
    except MGCError as error:
        raise MGCError(f"The stored network's `{name}` cannot be built from {init_args}: {error}") from error
    except Exception as error:  # a backbone of the user's own may raise anything
        raise MGCError(
            f"The stored network's `{name}` cannot be built from {init_args}: {type(error).__name__}: {error}"
        ) from error


def stored_arguments(cls: type[nn.Module], init_args: Mapping[str, Any]) -> dict[str, Any]:
    """Give the arguments of a backbone that a file names, as its class accepts them from files.

    A class whose arguments could load something else says so by a static method of this name.

    Raises:
        MGCError: if it refuses them.
    """
    allowed = getattr(cls, "stored_arguments", dict)
    arguments: dict[str, Any] = allowed(dict(init_args))
    return arguments


def _find_class(stored: Mapping[str, Any], imports: Sequence[str]) -> type[nn.Module]:
    name, path = str(stored["class"]), stored.get("class_path")
    if path is not None and not (isinstance(path, str) and _CLASS_PATH.fullmatch(path)):
        raise MGCError(f"The stored network names its backbone's class {path!r}: expected `module.Class`")
    named = import_modules(imports)
    registered = BACKBONES.get(name)
    if registered is not None:
        ours = is_ours(registered) and str(path).startswith(OURS)
        if path in (None, class_path(registered)) or ours:
            return registered
    for module in named:
        found = _defined_in(module.__name__, name, path)
        if found is not None:
            return found
    unknown = f"The stored network has the backbone `{path or name}`, which is not registered; known are "
    where = "" if path is None else path.removesuffix(f".{name}")
    if where.partition(".")[0] in sys.stdlib_module_names - {"__main__"}:
        raise MGCError(f"{unknown}{sorted(BACKBONES)}. It is of Python's own library, which has none: do not trust it")
    where = where if where and "<" not in where and where != "__main__" else "MODULE"
    raise MGCError(
        f"{unknown}{sorted(BACKBONES)}. If you trust it, name the module that defines it: `imports=[{where!r}]`. An "
        "export to ONNX, such as the network.onnx beside it, needs no class"
    )


def _defined_in(module: str, name: str, path: str | None) -> type[nn.Module] | None:
    """Find a class that a named module, or a module of that package which it has imported, defines itself."""
    path = path or f"{module}.{name}"
    if not path.startswith(f"{module}."):
        return None
    parts = path.split(".")
    for length in range(len(parts) - 1, 0, -1):
        found: Any = sys.modules.get(".".join(parts[:length]))
        if found is None:
            continue
        for part in parts[length:]:
            found = getattr(found, part, None)
        is_class = isinstance(found, type) and issubclass(found, nn.Module)
        return found if is_class and class_path(found) == path else None
    return None


HOW_TO_TELL = (
    "Decorate its class with `mgc_lightning.encoders.register_backbone`, give its objects an attribute `config` with "
    "their arguments, or let a YAML build it (`backbone: {class_path: ..., init_args: ...}`), before it is stored."
)


def not_plain(arguments: Mapping[str, Any]) -> list[str]:
    """Name the arguments that do not travel through JSON, or stand for an object that a config would build.

    Example:
        >>> not_plain({"depth": 18, "widths": [64, 128], "activation": nn.ReLU()})
        ['activation']
    """
    return [name for name, value in arguments.items() if not _is_plain(value)]


def _is_plain(value: Any) -> bool:
    if isinstance(value, Mapping):
        return "class_path" not in value and all(isinstance(key, str) and _is_plain(v) for key, v in value.items())
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)
