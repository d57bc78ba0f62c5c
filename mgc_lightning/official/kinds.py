"""The official networks by name; nothing here imports torch."""

from __future__ import annotations

from typing import Literal

OfficialNetwork = Literal["mgcnet", "facenet", "imagenet"]
"""The reconstruction network; the recogniser of the identity loss; the ImageNet weights that training starts from."""
