"""Cameras, poses, meshes, view synthesis and epipolar geometry."""
