# a clean install by the README's first command, with the tools of development
$MGC_PIP install --quiet '.[dev]'
$MGC_PIP check
