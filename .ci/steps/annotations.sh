# every annotated type and shape is checked at every call, where tests are many and fast
timeout 900 pytest -q -n 2 --maxprocesses 2 --dist loadgroup --check-types tests/encoders tests/face_models tests/files \
  tests/fitting tests/geometry tests/golden tests/losses tests/metrics tests/official tests/parity tests/photographs \
  tests/pictures tests/recognisers tests/rendering tests/synthetic tests/triplets
