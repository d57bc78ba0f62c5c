# all tests but the slow ones with their coverage, which must not fall
$MGC_PIP install --quiet --no-deps -e .
# From Python 3.12 on, the interpreter's own monitoring counts lines at a fraction of the cost.
if python -c 'import sys; sys.exit(sys.version_info < (3, 12))'; then export COVERAGE_CORE=sysmon; fi
timeout 2400 pytest -q -n 2 --maxprocesses 2 --dist loadfile --cov --cov-report= --cov-fail-under=0
python .ci/coverage_floor.py
