# source archive and wheel: built, checked, and the wheel runs in an environment of its own
$MGC_PIP install --quiet build twine
rm -rf dist
python -m build --quiet
twine check --strict dist/*
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
# Its dependencies are those of the active environment; the package is the wheel's, and nothing of the checkout.
$MGC_PIP install --quiet --no-deps --target "$work/site" dist/*.whl
cd "$work"
export PYTHONPATH="$work/site"
python -c "import mgc_lightning as m; assert m.__file__.startswith('$work'), m.__file__"
python -m mgc_lightning.cli --version
python -c "import mgc_lightning as m; print(m.load_face_model().faces.shape)"
