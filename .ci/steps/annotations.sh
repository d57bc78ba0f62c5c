# every annotated type and shape is checked at every call, where tests are many and fast
timeout 900 pytest -q -n 2 --maxprocesses 2 --dist loadfile --check-types $(cat .ci/checked_rooms)
