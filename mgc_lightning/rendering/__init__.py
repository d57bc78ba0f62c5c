"""Lighting, rasterizers and the face renderer."""
