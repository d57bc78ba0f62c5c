# a short real training; its export runs in onnxruntime
run="$(mktemp -d)"
trap 'rm -rf "$run"' EXIT
lightning fit --config configs/quickstart.yaml --trainer.max_steps=60 --trainer.val_check_interval=30 \
  --data.init_args.val_size=16 --trainer.default_root_dir="$run"
checkpoint="$(find "$run" -name '*.ckpt' | head -1)"
mgc export --checkpoint "$checkpoint" --output "$run/export"
python .ci/run_onnx.py "$run/export"
mgc doctor
