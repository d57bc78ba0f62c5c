"""Non-finite losses and gradients: skipped, counted, named, and in the end an error."""

import lightning as L
import pytest
import torch
from torch.utils.data import DataLoader

from mgc_lightning.errors import MGCError
from mgc_lightning.training.nonfinite import NonFiniteGuard


class Regression(L.LightningModule):
    """Fit a line; samples named `bad*` carry NaN, `steep*` an infinite gradient with a finite loss."""

    def __init__(self, max_consecutive: int = 3) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor([1.0]))
        self.guard = NonFiniteGuard(max_consecutive)
        self.history: list[float] = []

    def training_step(self, batch, _):
        x, names = batch["x"], batch["name"]
        if not self.guard.check({"x": x}, names, self):
            return self.guard.zero_loss(self)
        if names[0].startswith("steep"):
            return (self.weight - self.weight.detach()).pow(2).sum().sqrt()  # sqrt'(0) = inf
        return ((self.weight * x - 2 * x) ** 2).mean()

    def on_before_optimizer_step(self, optimizer):
        self.guard.before_step(self, optimizer)

    def on_train_batch_end(self, *_):
        self.history.append(self.weight.item())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.1)


def fit(names: list[str], **kwargs) -> Regression:
    samples = [{"x": torch.tensor([float("nan") if n.startswith("bad") else 1.0]), "name": n} for n in names]
    module = Regression(**kwargs)
    trainer = L.Trainer(
        max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, accelerator="cpu",
    )  # fmt: skip
    trainer.fit(module, DataLoader(samples, batch_size=1))
    return module


@pytest.mark.parametrize("kind", ["bad", "steep"])
def test_a_bad_step_is_skipped_and_named_and_changes_nothing(kind, caplog) -> None:
    with caplog.at_level("WARNING"):
        module = fit(["a", f"{kind}7", "b"])
    assert module.history[1] == module.history[0]
    assert module.history[2] != module.history[1]
    assert module.history == pytest.approx([fit(["a", "b"]).history[i] for i in (0, 0, 1)])
    assert module.guard.skipped == 1
    if kind == "bad":
        assert "bad7" in caplog.text


def test_training_stops_after_too_many_in_a_row() -> None:
    with pytest.raises(MGCError, match="3 training steps in a row"):
        fit(["a", "bad1", "bad2", "bad3", "b"])
    assert fit(["bad1", "bad2", "a", "bad3", "bad4", "b"]).guard.skipped == 4
