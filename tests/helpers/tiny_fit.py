"""The command line of a training that takes a second: two steps of a tiny network, in this process."""

import pytest

from mgc_lightning import cli

TINY = [
    "--config=quickstart",
    "--model.backbone.width=4",
    "--model.image_size=32",
    "--data.val_size=2",
    "--data.batch_size=1",
    "--data.train_size=8",
    "--trainer.max_steps=2",
    "--trainer.val_check_interval=2",
    "--trainer.num_sanity_val_steps=0",
    "--trainer.logger=false",
    "--trainer.accelerator=cpu",
]
BARE = [*TINY, "--trainer.callbacks=[]", "--trainer.enable_progress_bar=false"]


def run(folder, *arguments, base=BARE, command="fit"):
    """Run `fit` and give its status."""
    with pytest.raises(SystemExit) as stop:
        cli.main([command, *base, f"--trainer.default_root_dir={folder}", *arguments])
    return stop.value.code or 0
