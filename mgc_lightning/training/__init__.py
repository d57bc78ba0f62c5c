"""Training: the LightningModule, LightningCLI, guards."""
