# linters, types, architecture
ruff check .
ruff format --check .
mypy
lint-imports
