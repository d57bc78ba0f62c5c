"""Fuzz every reader: `python tests/fuzz/run.py --mutants 100` damages each target's file 100 times, by a seed.

A mutant is read, or refused by an `MGCError` of one message: anything else is a failure. `raw`: another exception;
`hang`: longer than `--seconds`; `memory`: more than `--gigabytes` beside what was there; `died`: the process;
`silent`: a file with a checksum was damaged, and gave other values; `long`: a message that is no message.
"""

import argparse
import importlib.util
import json
import os
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1] / "helpers"), str(Path(__file__).parent)]
for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENCV_FFMPEG_LOGLEVEL"):
    os.environ.setdefault(name, "1" if name != "OPENCV_FFMPEG_LOGLEVEL" else "-8")
os.environ["WANDB_MODE"] = "offline"

from mutants import FORGED, mutate, mutate_one_of_many, rng_of  # noqa: E402
from target import digest  # noqa: E402
from targets import TARGETS, fresh  # noqa: E402

FAILURES = ("raw", "hang", "memory", "died", "silent", "long")
LINES, CHARACTERS = 4, 1500
"""Of a message: what is more was meant for programmers."""


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", help="some of them; all if not given")
    parser.add_argument("--mutants", type=int, default=100, help="of each target")
    parser.add_argument("--first", type=int, default=0, help="number of the first")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=20.0, help="that a mutant may take")
    parser.add_argument("--gigabytes", type=float, default=2.0, help="that a mutant may take")
    parser.add_argument("--keep", type=Path, help="folder for the mutants that fail")
    parser.add_argument("--verbose", action="store_true", help="print tracebacks of failures")
    arguments = parser.parse_args(argv)
    unknown = set(arguments.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no target {sorted(unknown)}; there are {', '.join(TARGETS)}")
    # Once, for every process that is forked of this one.
    import lightning.pytorch  # noqa: F401

    import mgc_lightning.training.module  # noqa: F401

    totals, failures, left_out, started = Counter(), [], [], time.monotonic()
    for name in arguments.targets or TARGETS:
        if (extra := TARGETS[name].needs) and importlib.util.find_spec(extra) is None:
            print(f"{name:24} left out: {extra} is not installed", flush=True)
            left_out.append(name)
            continue
        counts, failed, begun = Counter(), [], time.monotonic()
        for row in fuzz(name, arguments):
            counts[row["outcome"]] += 1
            if row["outcome"] in FAILURES:
                failed.append(row)
        totals += counts
        failures += failed
        words = ", ".join(f"{counts[key]} {key}" for key in ("read", "told", *FAILURES) if counts[key])
        print(f"{name:24} {words}  ({time.monotonic() - begun:.0f} s)", flush=True)
        for row in failed[: None if arguments.verbose else 6]:
            print(f"    {row['outcome']} #{row['number']} by {row['kind']}: {row['detail'][:300]}", flush=True)
    print(f"{sum(totals.values())} mutants of {len(arguments.targets or TARGETS) - len(left_out)} readers in "
          f"{time.monotonic() - started:.0f} s: "
          + ", ".join(f"{totals[key]} {key}" for key in ("read", "told", *FAILURES)))  # fmt: skip
    return 1 if failures else 0


def fuzz(name, arguments):
    """Read the mutants of a target in a process of their own, another one after each that it does not survive."""
    number, last = arguments.first, arguments.first + arguments.mutants
    while number < last:
        there, here = os.pipe()
        child = os.fork()
        if not child:
            os.close(there)
            work(name, number, last, arguments, here)
            os._exit(0)
        os.close(here)
        kind, buffer = "?", b""
        while True:
            # The first message takes the imports and the files.
            ready, _, _ = select.select([there], [], [], arguments.seconds if kind != "?" else 300)
            block = os.read(there, 1 << 16) if ready else b""
            if not block:
                break
            buffer += block
            *lines, buffer = buffer.split(b"\n")
            for line in lines:
                row = json.loads(line)
                kind = row["kind"]
                if "outcome" in row:
                    number = row["number"] + 1
                    yield row
        os.close(there)
        if not ready:
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if number < last:
            why = f"longer than {arguments.seconds:g} s" if not ready else f"status {status}"
            yield {"outcome": "hang" if not ready else "died", "number": number, "kind": kind, "detail": why}
            number += 1


def work(name, first, last, arguments, pipe):
    """Read mutants, and write a line on each before and after."""
    target = TARGETS[name]
    null = os.open(os.devnull, os.O_WRONLY)
    if not arguments.verbose:
        os.dup2(null, 1)
        os.dup2(null, 2)
    with tempfile.TemporaryDirectory() as folder:
        try:
            made = fresh(target, Path(folder) / "set")
            files = sorted(path for path in made.rglob("*") if path.is_file()) if made.is_dir() else [made]
            expected = digest(target.read(made))
        except Exception:
            tell(pipe, number=last - 1, kind="whole", outcome="raw", detail=traceback.format_exc()[-300:])
            return
        base = status("VmData") + int(2e9 * arguments.gigabytes)
        resource.setrlimit(resource.RLIMIT_DATA, (base, base))
        for number in range(first, last):
            rng = rng_of(arguments.seed, name, number)
            file = files[rng.integers(len(files))] if made.is_dir() else made
            data = file.read_bytes()
            damaged, kind = mutate_one_of_many(rng, file, data) if made.is_dir() else mutate(rng, data)
            tell(pipe, number=number, kind=kind)
            if damaged is not None:
                file.write_bytes(damaged)
            Path("/proc/self/clear_refs").write_text("5")
            before = status("VmRSS")
            outcome, detail = attempt(target, made, expected, kind, damaged != data)
            grown = (status("VmHWM") - before) / 1e9
            if grown > arguments.gigabytes:
                outcome, detail = "memory", f"{grown:.1f} GB; {outcome}: {detail}"
            if made.is_dir():
                kind = f"{kind} in {file.relative_to(made)}"
            if outcome in FAILURES and arguments.keep:
                arguments.keep.mkdir(parents=True, exist_ok=True)
                (arguments.keep / f"{name}-{number}-{file.name}").write_bytes(damaged or b"")
            if file.is_dir():
                file.rmdir()
            file.write_bytes(data)
            tell(pipe, number=number, kind=kind, outcome=outcome, detail=detail)


def attempt(target, file, expected, kind, changed):
    from mgc_lightning.errors import MGCError

    try:
        found = digest(target.read(file))
    except MGCError as error:
        message = str(error)
        if len(message.splitlines()) > LINES or len(message) > CHARACTERS or not message.strip():
            return "long", message
        return "told", message
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)
        ours = next((frame for frame in reversed(last) if "mgc_lightning" in frame.filename), last[-1])
        where = f"{Path(ours.filename).name}:{ours.lineno}"
        print(traceback.format_exc(), file=sys.stderr)
        return "raw", f"{type(error).__name__} at {where}: {str(error)[:200]}"
    silent = target.guarded and changed and kind not in FORGED and found != expected
    return ("silent", "other values than those that were written") if silent else ("read", "")


def status(key):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    return 0


def tell(pipe, **row):
    os.write(pipe, json.dumps(row).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main())
