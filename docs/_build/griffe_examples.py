"""Read the heading `Example:` of docstrings, which doctest and torchmetrics know, as Griffe's `Examples:`."""

import re

from griffe import Extension, Object


class Examples(Extension):
    """Rewrite the heading before docstrings are parsed."""

    def on_instance(self, *, obj: Object, **_: object) -> None:
        """Rewrite the heading of one object."""
        if obj.docstring:
            obj.docstring.value = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
