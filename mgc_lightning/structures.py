"""The tensors that travel between the parts, with names (way of the data: triplet, mesh, rendered face)."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass
class TripletTruth:
    """Hold what only a synthetic or scanned data set knows: for evaluation, and for `GroundTruth`, the supervised loss.

    Attributes:
        verts_neutral: (B, V, N, 3) mm, model frame, identity alone.
        verts_posed: (B, V, N, 3) mm, model frame, with expression.
        T_cam_model: (B, V, 4, 4) pose.
        depth: (B, V, 1, H, W) camera z in mm, 0 in the background.

    Example:
        >>> neutral = torch.zeros(1, 3, 4032, 3)
        >>> smile = neutral + torch.tensor([0.0, 3.0, 4.0])
        >>> truth = TripletTruth(neutral, smile, torch.eye(4).expand(1, 3, 4, 4), torch.zeros(1, 3, 1, 224, 224))
        >>> (truth.verts_posed - truth.verts_neutral).norm(dim=-1).mean()  # mm by which the expression moves the face
        tensor(5.)
    """

    verts_neutral: Float[Tensor, "B V N 3"]
    verts_posed: Float[Tensor, "B V N 3"]
    T_cam_model: Float[Tensor, "B V 4 4"]
    depth: Float[Tensor, "B V 1 H W"]


@dataclass
class FaceTriplet:
    """Hold a batch of multi-view samples; view 0 is the target, the others are sources. V may be 1.

    Attributes:
        images: (B, V, 3, H, W) RGB in [0, 1].
        landmarks: (B, V, 68, 2) px, iBUG order, pixel centres at +.5.
        skin: (B, V, 1, H, W) skin probability in [0, 1].
        link: (B,) int: 0 nothing holds between the views, 1 pixel and depth consistency hold, 2 epipolar too.
        K: (B, V, 3, 3) intrinsics in px.
        sample_id: B names.
        truth: ground truth, where there is any.
        person: (B, V) who each view shows: views of a sample with equal numbers show one person. Numbers of
            different samples say nothing about each other. None where the source does not know; see `persons`.
        landmark_weights: (B, V, 68) how far each landmark is to be trusted, in [0, 1]; None for all 1. Jaw points that
            slide along the outline are trusted less in turned heads.

    Example:
        >>> pictures, masks = torch.zeros(2, 3, 3, 8, 8), torch.zeros(2, 3, 1, 8, 8)
        >>> points, K = torch.zeros(2, 3, 68, 2), torch.eye(3).expand(2, 3, 3, 3)
        >>> FaceTriplet(pictures, points, masks, link=torch.tensor([2, 0]), K=K).persons()
        tensor([[0, 0, 0],
                [0, 1, 2]])
    """

    images: Float[Tensor, "B V 3 H W"]
    landmarks: Float[Tensor, "B V 68 2"]
    skin: Float[Tensor, "B V 1 H W"]
    link: Int[Tensor, " B"]
    K: Float[Tensor, "B V 3 3"]
    sample_id: list[str] = field(default_factory=list)
    truth: TripletTruth | None = None
    person: Int[Tensor, "B V"] | None = None
    landmark_weights: Float[Tensor, "B V 68"] | None = None

    def persons(self) -> Int[Tensor, "B V"]:
        """Give `person`, or what follows from `link` where nobody says more.

        Views of one moment (link 1 or 2) show one person; views of an unlinked sample are strangers until the source
        says otherwise: a wrong guess would teach a network that different people are one.
        """
        if self.person is not None:
            return self.person
        own = torch.arange(self.images.shape[1], device=self.link.device)
        return torch.where(self.link[:, None] > 0, 0, own)

    def rows(self, which: slice | Int[Tensor, " S"]) -> FaceTriplet:
        """Take some samples."""
        ids = range(len(self.sample_id))[which] if isinstance(which, slice) else which.tolist()
        truth = self.truth
        if truth is not None:
            truth = replace(truth, **{field.name: getattr(truth, field.name)[which] for field in fields(truth)})
        return FaceTriplet(
            images=self.images[which],
            landmarks=self.landmarks[which],
            skin=self.skin[which],
            link=self.link[which],
            K=self.K[which],
            sample_id=[self.sample_id[row] for row in ids] if self.sample_id else [],
            truth=truth,
            person=None if self.person is None else self.person[which],
            landmark_weights=None if self.landmark_weights is None else self.landmark_weights[which],
        )


@dataclass
class AlignedPhotos:
    """Hold a batch of photographs of a benchmark: no landmarks, no other views.

    Attributes:
        images: (B, 3, H, W) aligned crops, RGB in [0, 1].
        index: (B,) places in the benchmark's list.
        names: B names.

    Example:
        >>> photos = AlignedPhotos(torch.zeros(2, 3, 224, 224), torch.tensor([0, 1]), ["1.jpg", "1_0.jpg"])
        >>> photos.names[photos.index[1]]
        '1_0.jpg'
    """

    images: Float[Tensor, "B 3 H W"]
    index: Int[Tensor, " B"]
    names: list[str] = field(default_factory=list)


@dataclass
class FaceMesh:
    """Hold posed-expression, un-rotated faces in the model frame, any batch shape `...`.

    Attributes:
        verts: (..., N, 3) mm, model frame.
        faces: (F, 3) vertex indices, outward by the right-hand rule.
        normals: (..., N, 3) unit vertex normals, model frame.
        albedo: (..., N, 3) display-space RGB in [0, 1].

    Example:
        >>> from mgc_lightning import load_face_model
        >>> model = load_face_model()
        >>> mesh = model(model.mean_coefficients(batch_size=1))
        >>> mesh.verts.shape, mesh.albedo.shape, mesh.normals.norm(dim=-1).mean().round(decimals=4)
        (torch.Size([1, 4032, 3]), torch.Size([1, 4032, 3]), tensor(1.))
    """

    verts: Float[Tensor, "*batch N 3"]
    faces: Int[Tensor, "F 3"]
    normals: Float[Tensor, "*batch N 3"]
    albedo: Float[Tensor, "*batch N 3"]


@dataclass
class Fragments:
    """Hold what a rasterizer found, once a view; image, mask, depth and covisibility all come from it.

    Attributes:
        pix_to_face: (B, H, W) index into `faces` of the nearest triangle, -1 in the background.
        bary: (B, H, W, 3) perspective-correct barycentric coordinates, differentiable; 0 in the background.
        faces: (F, 3) the triangles that were rasterized.

    Example:
        >>> bary = torch.tensor([[[[0.3, 0.3, 0.4], [0.0, 0.0, 0.0]]]])  # of two pixels; the second is background
        >>> Fragments(torch.tensor([[[0, -1]]]), bary, faces=torch.tensor([[0, 1, 2]])).mask
        tensor([[[ True, False]]])
    """

    pix_to_face: Int[Tensor, "B H W"]
    bary: Float[Tensor, "B H W 3"]
    faces: Int[Tensor, "F 3"]

    @property
    def mask(self) -> Bool[Tensor, "B H W"]:
        """Covered pixels."""
        return self.pix_to_face >= 0


@dataclass
class RenderedFace:
    """Hold a rendered batch.

    Attributes:
        image: (B, 3, H, W) lit colours, 0 in the background, not clipped above.
        mask: (B, 1, H, W) 1 where a triangle covers the pixel centre.
        depth: (B, 1, H, W) camera z in mm, 0 in the background.
        fragments: the visibility that they came from.

    Example:
        >>> from mgc_lightning import FaceRenderer, load_face_model
        >>> from mgc_lightning.geometry import intrinsics, pose_to_transform
        >>> model = load_face_model()
        >>> face = model.mean_coefficients(batch_size=1)
        >>> T_cam_model = pose_to_transform(face.pose)
        >>> rendered = FaceRenderer()(model(face), T_cam_model, intrinsics(64), face.light, image_size=64)
        >>> rendered.image.shape, rendered.mask.unique(), torch.equal(rendered.mask > 0, rendered.depth > 0)
        (torch.Size([1, 3, 64, 64]), tensor([0., 1.]), True)
    """

    image: Float[Tensor, "B 3 H W"]
    mask: Float[Tensor, "B 1 H W"]
    depth: Float[Tensor, "B 1 H W"]
    fragments: Fragments
