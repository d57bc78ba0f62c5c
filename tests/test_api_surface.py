"""The public names: none vanishes unnoticed, each imports on demand and explains itself."""

import ast
import importlib
import inspect
import pkgutil
import rlcompleter
import subprocess
import sys
import traceback
from pathlib import Path
from typing import get_type_hints

import pytest

import callbacks
import datamodules
import mgc_lightning
from mgc_lightning.lazy_names import attach

ROOT = Path(__file__).parents[1]
LIST = Path(__file__).with_name("public_names.txt")
KNOWN = LIST.read_text().split()
OURS = ("mgc_lightning", "datamodules", "callbacks")


def packages() -> list[str]:
    found = []
    for root in (mgc_lightning, datamodules, callbacks):
        inside = pkgutil.walk_packages(root.__path__, f"{root.__name__}.")
        found += [root.__name__, *(module.name for module in inside if module.ispkg)]
    return [name for name in found if name != "mgc_lightning.commands"]


def home(package: str, name: str) -> str:
    """Give the module that a stub names as the place of a public name."""
    stub = ast.parse((ROOT / package.replace(".", "/") / "__init__.pyi").read_text())
    (found,) = (node.module for node in stub.body if isinstance(node, ast.ImportFrom) and node.names[0].name == name)
    return f"{package}.{found}" if found else package


def described_constant(module: str, name: str) -> bool:
    """Find the assignment of a constant, and a docstring below it."""
    body = ast.parse(Path(importlib.import_module(module).__file__).read_text()).body
    for statement, following in zip(body, [*body[1:], None], strict=True):
        targets = [statement.target] if isinstance(statement, ast.AnnAssign) else getattr(statement, "targets", [])
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
    return False


def annotated(target: object) -> list[object]:
    """Give what of a public name has annotations of ours: a function, or a class' own fields and methods."""
    if not callable(target) or not getattr(target, "__module__", "").startswith(OURS):
        return []
    if not inspect.isclass(target):
        return [target]
    own = {key: vars(target).get(key, {}) for key in ("__annotations__", "__module__")}
    methods = [inspect.unwrap(getattr(target, name)) for name in vars(target)]
    # What dataclasses write themselves has the annotations of the class, evaluated in another module.
    written = [m for m in methods if inspect.isfunction(m) and m.__code__.co_filename != "<string>"]
    return [type(target.__name__, (), own), *written]


def test_no_public_name_vanishes() -> None:
    offered = {f"{package}.{name}" for package in packages() for name in importlib.import_module(package).__all__}
    gone = sorted(set(KNOWN) - offered)
    assert not gone, (
        f"No longer public: {', '.join(gone)}. Users import them. Keep each for one minor release: leave its line in "
        "the package's __init__.pyi, mark the function or class with `typing_extensions.deprecated('use ...')`, "
        "say so in CHANGELOG.md under Deprecated; only then take its line out of the stub and tests/public_names.txt."
    )
    new = sorted(offered - set(KNOWN))
    assert not new, f"New public names: {', '.join(new)}. If they are to stay, add them to tests/public_names.txt."
    assert sorted(KNOWN) == KNOWN


@pytest.mark.parametrize("package", packages())
def test_every_public_name_imports_and_is_described(package) -> None:
    module = importlib.import_module(package)
    assert module.__doc__
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.ismodule(value) or inspect.isclass(value) or inspect.isroutine(value):
            # A class says itself what it is: nothing inherited, nor the signature that a dataclass writes.
            text = vars(value).get("__doc__") if inspect.isclass(value) else value.__doc__
            assert not (text or f"{name}(").startswith(f"{name}("), f"{package}.{name} has no docstring"
        else:
            assert described_constant(home(package, name), name), f"{package}.{name} has no docstring below it"


@pytest.mark.parametrize("package", packages())
def test_the_stub_is_read_as_type_checkers_read_it(package) -> None:
    module = importlib.import_module(package)
    stub = ast.parse(Path(f"{module.__file__}i").read_text())
    names = [alias for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert sorted(alias.name for alias in names) == module.__all__
    assert all(alias.asname == alias.name for alias in names), "only `name as name` is exported again"
    files = {file.stem for file in Path(module.__file__).parent.glob("*.py")}
    clashes = [name for name in module.__all__ if name in files]
    assert not clashes, f"{clashes}: importing the file of that name would hide the public name"


def test_the_front_door_costs_no_torch() -> None:
    code = (
        "import sys, mgc_lightning, datamodules, callbacks\n"
        "dir(mgc_lightning), mgc_lightning.__version__, mgc_lightning.losses\n"
        "heavy = {'torch', 'numpy', 'lightning', 'kornia', 'numba', 'typing', 'ast'} & set(sys.modules)\n"
        "assert not heavy - set(sys.argv[1:]), heavy\n"
    )
    # What the interpreter itself loads at its start, from .pth files and the like, is not ours.
    bare = subprocess.run([sys.executable, "-c", "import sys; print(*sys.modules)"], capture_output=True, text=True)
    subprocess.run([sys.executable, "-c", code, *bare.stdout.split()], check=True, cwd=ROOT)


def test_names_complete_and_star_imports() -> None:
    assert {"FaceReconstructor", "losses", "__version__"} <= set(dir(mgc_lightning))
    completer = rlcompleter.Completer({"mgc": mgc_lightning})
    assert completer.complete("mgc.FaceRec", 0).startswith("mgc.FaceReconstructor")
    space: dict[str, object] = {}
    exec("from mgc_lightning.losses import *", space)  # noqa: S102
    assert set(mgc_lightning.losses.__all__) <= set(space)


def test_a_wrong_name_tells_the_nearest() -> None:
    with pytest.raises(AttributeError, match="no `FaceRecontructor`. Did you mean `FaceReconstructor`") as caught:
        _ = mgc_lightning.FaceRecontructor
    # Nor does the interpreter add its own guess.
    assert "".join(traceback.format_exception(caught.value)).count("Did you mean") == 1
    with pytest.raises(ImportError, match="cannot import `sameperson` from `mgc_lightning.losses`.*`SamePerson`"):
        from mgc_lightning.losses import sameperson  # noqa: F401
    with pytest.raises(AttributeError) as caught:
        _ = mgc_lightning.nothing_of_the_kind_at_all
    assert "Did you mean" not in "".join(traceback.format_exception_only(caught.value))
    assert not hasattr(mgc_lightning, "FaceRecontructor")
    assert getattr(mgc_lightning, "__wrapped__", None) is None


def test_a_missing_library_is_not_mistaken_for_a_missing_name(tmp_path, monkeypatch) -> None:
    package = tmp_path / "needy"
    package.mkdir()
    (package / "part.py").write_text("import a_library_that_is_not_there\n")
    (package / "__init__.pyi").write_text("from .part import Part as Part\n")
    (package / "__init__.py").write_text(
        "from mgc_lightning.lazy_names import attach\n__getattr__, __dir__, __all__ = attach(__name__, __file__)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    needy = importlib.import_module("needy")
    with pytest.raises(ModuleNotFoundError, match="a_library_that_is_not_there"):
        _ = needy.Part


def test_the_library_does_not_come_in_by_its_own_front_door() -> None:
    """The import-linter sees the arrows between rooms; a name taken from the root would hide one."""
    for file in sorted((ROOT / "mgc_lightning").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "mgc_lightning" and node.level == 0:
                names = {alias.name for alias in node.names} - {"__version__"}
                files = {name for name in names if (ROOT / "mgc_lightning" / f"{name}.py").is_file()}
                assert names == files, f"{file}: import {names - files} from the file that has it"


@pytest.mark.parametrize(
    "path",
    [
        "mgc_lightning.encoders.ResNet",
        "mgc_lightning.face_models.load_face_model",
        "mgc_lightning.losses.identity.IdentityLoss",
        "mgc_lightning.losses.objective.MGCObjective",
        "mgc_lightning.losses.same_person.SamePerson",
        "mgc_lightning.recognisers.FaceNet",
        "mgc_lightning.rendering.rasterizers.get_rasterizer",
        "datamodules.synthetic.SyntheticTriplets",
        "callbacks.summary.SummaryTable",
    ],
)
def test_paths_of_earlier_configs_and_scripts_resolve(path) -> None:
    module, name = path.rsplit(".", 1)
    assert callable(getattr(importlib.import_module(module), name))


def test_attach_reads_names_and_submodules(tmp_path) -> None:
    (tmp_path / "__init__.pyi").write_text("from . import part as part\nfrom .part import Name as Name\n\nx: int\n")
    _, _, names = attach("somewhere", str(tmp_path / "__init__.py"))
    assert names == ["Name", "part"]


def test_the_annotations_of_public_names_can_be_read() -> None:
    """Frameworks read them: jsonargparse, beartype, documentation. None may name what only a checker sees."""
    unread = []
    for known in KNOWN:
        package, _, name = known.rpartition(".")
        for target in annotated(getattr(importlib.import_module(package), name)):
            try:
                get_type_hints(target)
            except NameError as error:
                unread.append(f"{known}: {error}")
    assert not unread, "\n".join(unread)
