"""Choices of both benchmarks; nothing here imports torch."""

from __future__ import annotations

from typing import Literal

NoWSplit = Literal["validation", "test"]
"""Image lists of the NoW data set."""
REALYView = Literal["frontal", "side"]
"""Kinds of REALY's photographs, each with a score of its own."""
MeshFormat = Literal["obj", "ply"]
"""Meshes of submissions."""
