"""Compare the benchmarks' scores with the official programs' recorded numbers, and time them on one core.

    MGC_GOLDEN=path/to/golden python benchmarks/evaluation.py      # NoW and REALY
    python benchmarks/evaluation.py --parts now      # without recorded numbers: synthetic scans, time only

Set OMP_NUM_THREADS=1 for one core. Times are the least of `--repeats` runs in this process, wall clock and CPU; on a
busy machine the CPU time is the one to believe. Official seconds were taken on another, busy machine of two cores: they
are a note, no base of a ratio.
"""

from __future__ import annotations

import argparse
import importlib
import os
from pathlib import Path

PARTS = ("now", "realy")
"""Each has a file `evaluation_<part>.py` with `report(golden: Path | None, repeats: int) -> bool`."""


def main() -> int:
    """Run the parts; the status is 1 if one is outside its gate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--golden", type=Path, default=os.environ.get("MGC_GOLDEN"), help="default: $MGC_GOLDEN")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    good = [
        importlib.import_module(f"evaluation_{part}").report(args.golden and Path(args.golden), args.repeats)
        for part in args.parts
    ]
    return 0 if all(good) else 1


if __name__ == "__main__":
    raise SystemExit(main())
