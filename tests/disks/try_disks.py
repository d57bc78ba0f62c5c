"""Run every command that writes on full and on read-only disks: `python tests/disks/try_disks.py`.

Each trial has a file system of its own in a name space of its own (Linux; root, or user name spaces): smaller than what
the command writes, or read-only. Right is: status 2, one sentence that says why, and no file that is not whole. `raw`:
a traceback; `silent`: status 0 although it could not write; `other`: another status, or no word of the disk; `half`: a
file that is not as the same command writes it on a large disk; `left`: a temporary file. The last trial has a large
disk and a tiny /dev/shm, and processes: there all files are right, too.
"""

import argparse
import contextlib
import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]
for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")
os.environ["WANDB_MODE"] = "offline"

from trials import OUT, files_below, prepare_inputs, run  # noqa: E402

NEW_NAMES, NEW_USER = 0x00020000, 0x10000000
REASONS = ("No space left on device", "Read-only file system", "is the disk full", "full", "/dev/shm")
SHARES = (0.02, 0.3, 0.6, 0.9)
PAGE = 4096
TINY = "shm"
"""A large disk, processes, and 64 kB of memory that they may share."""


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("commands", nargs="*", help="some of them, such as `export`; all if not given")
    parser.add_argument("--shares", type=float, nargs="*", default=SHARES, help="of what a command writes that fit")
    parser.add_argument("--verbose", action="store_true", help="print what the commands say")
    arguments = parser.parse_args(argv)
    if not can_mount():
        print("no name spaces here: nothing could be tried")
        return 3
    folder = Path(tempfile.mkdtemp(prefix="mgc-disks-"))
    totals, begun = Counter(), time.monotonic()
    try:
        os.environ["MGC_CACHE"] = str(folder / "cache")
        with open(os.devnull, "w") as nothing, contextlib.redirect_stdout(nothing):
            commands = prepare_inputs(folder / "inputs")
        disk = folder / "disk"
        disk.mkdir()
        for name in arguments.commands or commands:
            command, reference = commands[name], folder / "reference"
            if command is None:
                print(f"{name:24} left out: its extra is not installed", flush=True)
                continue
            ended = trial(command, disk, folder / "log", "size=2g", reference)
            if ended:
                print(f"{name}: status {ended} on a large disk\n{(folder / 'log').read_text()[-2000:]}")
                totals["other"] += 1
                continue
            whole = files_below(reference)
            pages = sum(-(-size // PAGE) for size in whole.values())
            sizes = [f"size={max(1, int(share * pages)) * PAGE}" for share in arguments.shares]
            for options in ["ro", *sizes, TINY]:
                kept = folder / "kept"
                status = trial(command, disk, folder / "log", options, kept)
                text = (folder / "log").read_text(errors="replace")
                outcome, file = judge(status, text, files_below(kept), whole, command.keeps, options)
                totals[outcome] += 1
                if arguments.verbose or outcome != "told":
                    print(
                        f"{name:24} {options:14} {outcome} {file}: {' / '.join(text.strip().splitlines()[-4:])[-600:]}"
                    )
                shutil.rmtree(kept, ignore_errors=True)
            shutil.rmtree(reference)
            print(f"{name:24} {len(whole)} files of {sum(whole.values())} bytes", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    others = ", ".join(f"{totals[key]} {key}" for key in ("raw", "silent", "other", "half", "left"))
    print(f"{sum(totals.values())} trials in {time.monotonic() - begun:.0f} s: {totals['told']} told, {others}")
    return 0 if set(totals) == {"told"} else 1


def judge(status, text, files, whole, keeps, options):
    """Name what a trial came to, and the file where it is one."""
    if "Traceback (most recent call last)" in text:
        return "raw", ""
    if options == TINY and status == 0:  # one process less, or none that shares memory: all is there
        ours = [name for name in whole if not name.startswith(tuple(keeps))]  # W&B's folders are named by the second
        lacking = next((name for name in ours if name not in files), "")
        return ("half" if lacking else "told"), lacking
    if status == 0:  # a training outlives a checkpoint that is lost, and says so
        return ("told" if "could not be written, and the run goes on" in text else "silent"), ""
    errors = [line for line in text.splitlines() if line.startswith("error: ")]
    if status != 2 or len(errors) != 1 or not any(reason in text for reason in REASONS):
        return "other", ""
    for name, size in files.items():
        if "@" in Path(name).name:
            return "left", name
        if not any(name.startswith(kept) for kept in keeps) and size != whole.get(name, -1):
            return "half", name
    return "told", ""


def trial(command, disk, log, options, kept):
    """Run a command on a new file system in a child; copy what it left to `kept`; give its status."""
    child = os.fork()
    if not child:
        status = 99
        try:
            private_names()
            mounts = {str(disk): options} if options != TINY else {str(disk): "size=2g", "/dev/shm": "size=64k"}
            for place, option in mounts.items():
                subprocess.run(["mount", "-t", "tmpfs", "-o", option, "tmpfs", place], check=True)
            with open(log, "w") as stream:
                os.dup2(stream.fileno(), 1)
                os.dup2(stream.fileno(), 2)
            os.environ |= {"MGC_CACHE": str(disk / "cache"), "STARTS": str(log.with_name("starts"))}
            os.chdir(disk)
            arguments = [*command.arguments, *(command.processes if options == TINY else ())]
            text = [argument.replace(OUT, str(disk)) for argument in arguments]
            for index, argument in enumerate(text):
                if argument.endswith(".yaml"):  # its paths are on the disk of the trial, too
                    changed = log.with_name(Path(argument).name)
                    changed.write_text(Path(argument).read_text().replace(OUT, str(disk)))
                    text[index] = str(changed)
            status = run(text)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            shutil.copytree(disk, kept, dirs_exist_ok=True)
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def private_names():
    """Have mounts of its own."""
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if libc.unshare(NEW_NAMES | (NEW_USER if user else 0)):
        raise OSError(ctypes.get_errno(), "unshare")
    if user:
        for file, line in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
            Path(f"/proc/self/{file}").write_text(line)
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)


def can_mount():
    """Tell whether this system lets a process have mounts of its own."""
    child = os.fork()
    if not child:
        status = 1
        with contextlib.suppress(BaseException):
            private_names()
            place = tempfile.mkdtemp()
            status = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place], capture_output=True).returncode
            subprocess.run(["umount", place], capture_output=True)
            os.rmdir(place)
        os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


if __name__ == "__main__":
    sys.exit(main())
