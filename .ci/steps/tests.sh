# all tests but the slow ones (README, second command)
$MGC_PIP install --quiet --no-deps -e .
# A hang ends here, with the name of the test, and not when the whole budget is gone.
timeout 1800 pytest -q -n 2 --maxprocesses 2 --dist loadgroup
