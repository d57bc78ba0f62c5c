"""A rasterizer that is slow and obviously right: every triangle against every pixel, float64."""

import torch

from mgc_lightning.rendering.rasterizers.base import MIN_DOUBLE_AREA, NEAR


class ReferenceRasterizer:
    name = "reference"

    def __call__(self, verts_screen, faces, image_size):
        height, width = image_size
        rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        pixels = torch.stack([columns, rows], dim=-1).double() + 0.5
        results = [self._one(sample, faces, pixels) for sample in verts_screen.detach().float().double()]
        return torch.stack([r[0] for r in results]), torch.stack([r[1] for r in results])

    def _one(self, verts, faces, pixels):
        winner = torch.full(pixels.shape[:2], -1)
        best = torch.zeros(pixels.shape[:2])
        for face, corners in enumerate(verts[faces]):
            if not corners.isfinite().all() or corners[:, 2].min() <= NEAR:
                continue
            spokes = corners[:, :2] - pixels[..., None, :]
            areas = torch.stack(
                [_cross(spokes[..., i, :], spokes[..., j, :]) for i, j in ((1, 2), (2, 0), (0, 1))], dim=-1
            )
            double_area = _cross(corners[1, :2] - corners[0, :2], corners[2, :2] - corners[0, :2])
            if double_area.abs() <= MIN_DOUBLE_AREA:
                continue
            inside = (areas * double_area.sign() >= 0).all(-1)
            inverse_depth = (areas / double_area / corners[:, 2]).sum(-1).float()
            wins = inside & (inverse_depth >= best)
            winner[wins], best[wins] = face, inverse_depth[wins]
        return winner, torch.where(winner >= 0, 1 / best, 0.0)


def _cross(a, b):
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def random_scene(batch=2, count=40, triangles=60, size=24, seed=0):
    """Triangles of all sizes and orientations, some outside the image, some behind the camera."""
    generator = torch.Generator().manual_seed(seed)
    verts = torch.rand(batch, count, 3, generator=generator)
    verts[..., :2] = verts[..., :2] * (size * 1.6) - size * 0.3
    verts[..., 2] = verts[..., 2] * 1100 - 100
    faces = torch.randint(count, (triangles, 3), generator=generator)
    return verts, faces


def sphere(rings=12, segments=24, radius=80.0):
    """A closed mesh in the model frame."""
    import math

    theta = torch.linspace(0, math.pi, rings + 1)[1:-1]
    phi = torch.arange(segments) * (2 * math.pi / segments)
    ring = torch.stack(
        [
            theta.sin()[:, None] * phi.cos(),
            theta.cos()[:, None].expand(-1, segments),
            theta.sin()[:, None] * phi.sin(),
        ],
        dim=-1,
    ).reshape(-1, 3)
    verts = radius * torch.cat([ring, torch.tensor([[0.0, 1.0, 0.0], [0.0, -1.0, 0.0]])])
    top, bottom = len(ring), len(ring) + 1
    faces = []
    for s in range(segments):
        n = (s + 1) % segments
        faces.append([top, n, s])
        last = (rings - 2) * segments
        faces.append([bottom, last + s, last + n])
        for r in range(rings - 2):
            a, b, c, d = r * segments + s, r * segments + n, (r + 1) * segments + s, (r + 1) * segments + n
            faces += [[a, b, d], [a, d, c]]
    return verts, torch.tensor(faces)
