"""`mgc doctor`: what works here, what does not, and what to do."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

HELP = "check versions, devices, rasterizers, face models and W&B; say what to do about what is missing"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")


def run(args: argparse.Namespace) -> int:
    """Print the findings; 1 if something required is broken."""
    from mgc_lightning.doctor import examine, is_healthy, report_lines

    sections = examine()
    if args.json:
        plain = {title: [asdict(c) | {"state": c.state.value} for c in checks] for title, checks in sections.items()}
        print(json.dumps(plain, indent=2))
    else:
        encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "")
        print("\n".join(report_lines(sections, unicode=encoding.startswith("utf"))))
    return 0 if is_healthy(sections) else 1
