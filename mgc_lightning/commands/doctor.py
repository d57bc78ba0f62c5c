"""`mgc doctor`: what works here, what does not, and what to do."""

from __future__ import annotations

import sys
from dataclasses import asdict
from json import dumps


def doctor(*, json: bool = False) -> int:
    """Check versions, devices, rasterizers, face models and W&B; say what to do about what is missing.

    Args:
        json: print one JSON object instead.
    """
    from mgc_lightning.doctor.check import is_healthy, report_lines
    from mgc_lightning.doctor.examination import examine

    sections = examine()
    if json:
        plain = {title: [asdict(c) | {"state": c.state.value} for c in checks] for title, checks in sections.items()}
        print(dumps(plain, indent=2))
    else:
        encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "")
        print("\n".join(report_lines(sections, unicode=encoding.startswith("utf"))))
    return 0 if is_healthy(sections) else 1
