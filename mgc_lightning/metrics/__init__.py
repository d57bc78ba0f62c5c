"""Metrics: pure functions, and torchmetrics classes that only keep state."""
