"""Run the ONNX export of a folder on a batch of two random images: `python .ci/run_onnx.py FOLDER`."""

import sys
from pathlib import Path

import numpy as np
import onnxruntime

path = next(Path(sys.argv[1]).glob("**/*.onnx"))
session = onnxruntime.InferenceSession(str(path))
images = session.get_inputs()[0]
outputs = session.run(None, {images.name: np.random.default_rng(0).random((2, *images.shape[1:]), np.float32)})
assert all(np.isfinite(output).all() for output in outputs), f"{path}: non-finite output"
print(f"{path.name}: {[output.shape for output in outputs]}")
