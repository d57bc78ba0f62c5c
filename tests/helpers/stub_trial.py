"""A trial that trains nothing: it reports what its parameters give, through the library's own link."""

import os
import sys
import time
from pathlib import Path

import yaml

from mgc_lightning.training.trial_link import ENDED, FOLDER, PRUNED, open_trial, trial_link


def main() -> int:
    given = dict(word[2:].split("=", 1) for word in sys.argv[1:])
    x = float(given["x"])
    folder = Path(given["trainer.default_root_dir"])
    with Path(os.environ["STARTS"]).open("a") as file:
        file.write(f"{x!r} {os.getpid()} {os.environ.get('OMP_NUM_THREADS')}\n")
    if x > float(given.get("fails_above", "inf")):
        print("error: x is too much", file=sys.stderr)
        return 1
    trial = open_trial(trial_link())
    (folder / "run").mkdir()
    config = {"x": x, "trainer": {"default_root_dir": str(folder), "logger": {"save_dir": f"{folder}/logs"}}}
    (folder / "run" / "config.yaml").write_text(yaml.safe_dump(config))
    trial.set_user_attr(FOLDER, str(folder / "run"))
    for step in range(1, 5):
        time.sleep(float(given.get("seconds", 0)))
        trial.report(x / step, step)
        if trial_link().first and step < 4 and trial.should_prune():
            trial.set_user_attr(PRUNED, step)
            return 0
    trial.set_user_attr(ENDED, 4)
    return 0


if __name__ == "__main__":
    sys.exit(main())
