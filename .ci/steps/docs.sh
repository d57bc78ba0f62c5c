# the site builds without a warning
$MGC_PIP install --quiet '.[docs]'
site="$(mktemp -d)"
trap 'rm -rf "$site"' EXIT
NO_MKDOCS_2_WARNING=1 mkdocs build --quiet --strict --site-dir "${MGC_SITE:-$site}"
