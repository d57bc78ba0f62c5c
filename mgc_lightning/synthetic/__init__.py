"""Procedural synthetic faces: latents, skin, light, backgrounds, occluders, camera noise."""
