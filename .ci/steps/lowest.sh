# the lowest declared versions train and export: 20 steps
#
# MGC_LOWEST_TORCH takes another torch than the lowest: a version, or `installed` for the active environment's.
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
root="$PWD"
$MGC_PIP install --quiet uv
uv pip compile pyproject.toml --quiet --no-header --no-annotate --resolution lowest-direct --output-file "$work/lowest.txt"
python -m venv "$work/venv"
if [ "${MGC_LOWEST_TORCH:-}" = installed ]; then
  MGC_LOWEST_TORCH="$(python -c 'from importlib.metadata import version; print(version("torch").split("+")[0])')"
fi
if [ -n "${MGC_LOWEST_TORCH:-}" ]; then
  "$work/venv/bin/python" -m pip install --quiet "torch==$MGC_LOWEST_TORCH"
  grep -vE '^(torch|triton|sympy|nvidia-[a-z0-9-]+)==' "$work/lowest.txt" > "$work/others.txt"
  mv "$work/others.txt" "$work/lowest.txt"
fi
. "$work/venv/bin/activate"
uv pip install --quiet --python "$work/venv/bin/python" -r "$work/lowest.txt"
uv pip install --quiet --python "$work/venv/bin/python" --no-deps .
cd "$work"
lightning fit --config quickstart --trainer.max_steps=20 --trainer.val_check_interval=10 --data.init_args.val_size=8 \
  --trainer.default_root_dir="$work/run"
python "$root/.ci/run_onnx.py" "$work/run"
mgc doctor
