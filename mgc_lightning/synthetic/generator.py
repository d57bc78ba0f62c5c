"""Latents in, triplets of pictures out: everything between is rendered on the latents' device."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.geometry.camera import DEFAULT_FOCAL, intrinsics, project
from mgc_lightning.geometry.mesh import vertex_normals
from mgc_lightning.geometry.pose import transform_points
from mgc_lightning.photographs.box import mean_face_box
from mgc_lightning.photographs.crop import five_points
from mgc_lightning.rendering.rasterizers.base import RasterizerName
from mgc_lightning.rendering.renderer import FaceRenderer
from mgc_lightning.structures import FaceMesh, FaceTriplet, TripletTruth
from mgc_lightning.synthetic.anchors import face_anchors
from mgc_lightning.synthetic.backgrounds import background_side, render_background
from mgc_lightning.synthetic.camera_noise import CameraNoise
from mgc_lightning.synthetic.complexion import Complexion, make_complexion
from mgc_lightning.synthetic.head import Head, has_head
from mgc_lightning.synthetic.latents import Latents
from mgc_lightning.synthetic.leaves import NUMBERS as LEAVES_NUMBERS
from mgc_lightning.synthetic.leaves import Leaves
from mgc_lightning.synthetic.poses import aligned_pose, head_rotation, misaligned_template
from mgc_lightning.synthetic.shapes import paint, place_shapes
from mgc_lightning.synthetic.viewpoint import Viewpoint, crop_targets, nominal_rotation, roll_rotation

_NOT_SKIN = {"scalp": 0.0, "mouth_interior": 0.0, "teeth": 0.0, "eyeball_r": 0.0, "eyeball_l": 0.0,
             "brow_r": 0.3, "brow_l": 0.3}  # fmt: skip
_NOT_DRAWN = ("teeth",)
"""The embedded model's teeth are strips that look like blobs in an open mouth."""


class TripletGenerator(nn.Module):
    """Render synthetic triplets.

    Args:
        face_model: shapes, landmarks, triangles; its level is that of the ground truth.
        image_size: side of the images in px.
        focal: focal length in px at 224 px; the distance follows, so that faces keep their size.
        rasterizer: that draws; `auto` suits the device.
        complexion: vertex colours from latents; the face model's own if None.
        supersampling: rays a pixel on each axis, for heads with hair, skin detail or lamps.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> from mgc_lightning.synthetic import LatentSampler, SyntheticSettings
        >>> model = load_face_model()
        >>> generator = TripletGenerator(model, image_size=32)
        >>> latents = LatentSampler(model, generator.complexion, SyntheticSettings()).draw("train", 0)
        >>> batch = generator({name: value[None] for name, value in latents.items()})
        >>> batch.images.shape, batch.truth.verts_posed.shape
        (torch.Size([1, 3, 3, 32, 32]), torch.Size([1, 3, 4032, 3]))
    """

    complexion: Complexion
    faces: Tensor
    face_skin: Tensor
    K: Float[Tensor, "3 3"]
    box: Float[Tensor, " 4"]

    def __init__(
        self,
        face_model: FaceModel,
        image_size: int = 224,
        focal: float = DEFAULT_FOCAL,
        rasterizer: RasterizerName = "auto",
        complexion: Complexion | None = None,
        supersampling: float = 1.0,
    ) -> None:
        super().__init__()
        self.face_model = face_model
        self.complexion = complexion or make_complexion(face_model)
        self.renderer = FaceRenderer(rasterizer)
        self.camera = CameraNoise()
        drop = [name for name in _NOT_DRAWN if name in face_model.region_names]
        self.register_buffer("faces", face_model.faces_without(*drop).clone(), persistent=False)
        skin = skin_probability(face_model)
        of_faces = skin[self.faces].mean(1)
        self.register_buffer("face_skin", torch.cat([of_faces, of_faces.new_zeros(1)]), persistent=False)
        self.supersampling = supersampling
        self.head = Head(face_model, self.faces, skin, self.renderer) if has_head(face_model) else None
        self.leaves = Leaves()
        self.register_buffer("K", torch.eye(3), persistent=False)
        self.register_buffer("box", torch.zeros(4), persistent=False)
        self.set_camera(image_size, focal)

    def set_camera(self, image_size: int, focal: float) -> None:
        """Draw pictures of another size or with another focal length (px at 224 px); faces keep their size in them."""
        self.image_size = image_size
        self.distance = float(self.face_model.main_pose[5]) * focal / DEFAULT_FOCAL
        self.K = intrinsics(image_size, focal).to(self.K)
        self.box = mean_face_box(self.face_model, image_size).to(self.box)

    @torch.no_grad()
    def forward(self, latents: Latents, sample_id: list[str] | None = None) -> FaceTriplet:
        """Render a batch.

        Args:
            latents: (B, V, ...) as `LatentSampler` draws them, stacked, on the device of this module.
            sample_id: B names.
        """
        B, V = latents["yaw"].shape
        flat = {name: latent.flatten(0, 1) for name, latent in latents.items() if name != "link"}
        mesh, neutral = self._faces(latents, flat)
        points = self.face_model.landmarks68(mesh.verts)
        T_cam_model, K = self._cameras(flat, mesh, points)
        landmarks = project(transform_points(T_cam_model, points), K)
        images, skin, depth = self._pictures(flat, mesh, points, T_cam_model, K, landmarks)
        if "viewpoint" in flat:
            T_cam_model, depth = self._nominal(T_cam_model, K, points, landmarks, depth)
        if "landmark_noise" in flat:
            landmarks = landmarks + flat["landmark_noise"] * (self.image_size / 224)

        def by_view(tensor: Tensor) -> Tensor:
            return tensor.unflatten(0, (B, V))

        return FaceTriplet(
            images=by_view(images),
            landmarks=by_view(landmarks),
            skin=by_view(skin),
            link=latents["link"],
            K=self.K.expand(B, V, 3, 3),
            sample_id=list(sample_id or []),
            truth=TripletTruth(
                verts_neutral=by_view(neutral),
                verts_posed=by_view(mesh.verts),
                T_cam_model=by_view(T_cam_model),
                depth=by_view(depth),
            ),
            person=latents["person"],
        )

    def _faces(self, latents: Latents, flat: Latents) -> tuple[FaceMesh, Tensor]:
        """Give the faces of all views, and their neutral vertices; what several views share is computed once."""
        persons, person = first_occurrences(latents["person"])
        moments, moment = first_occurrences(latents["moment"])
        neutral = self.face_model.shape(flat["identity"][persons])[person]
        albedo = self.complexion(flat["complexion"][persons])[person]
        offset = flat["expression"][moments] @ self.face_model.expression_basis.flatten(1)
        verts = neutral[moments] + offset.unflatten(-1, (-1, 3))
        normals = vertex_normals(verts, self.face_model.faces)
        return FaceMesh(verts[moment], self.face_model.faces, normals[moment], albedo), neutral

    def _cameras(self, flat: Latents, mesh: FaceMesh, points: Tensor) -> tuple[Tensor, Tensor]:
        """Give the poses and intrinsics that pictures are taken with."""
        rotation, five = head_rotation(flat["yaw"], flat["pitch"]), five_points(points)
        if "viewpoint" not in flat:
            target = misaligned_template(flat["misalignment"], self.image_size)
            return aligned_pose(rotation, five, target, self.K, self.distance), self.K.expand(len(five), 3, 3)
        view = Viewpoint.of(flat["viewpoint"], self.K, self.distance, self.image_size)
        rotation = roll_rotation(view.roll) @ rotation
        outline = mesh.verts[:, self.face_model.face_mask]
        target = crop_targets(view, flat["misalignment"], rotation, five, outline, self.box, self.image_size)
        return aligned_pose(rotation, five, target, view.K, view.place), view.K

    def _nominal(
        self, T_cam_model: Tensor, K: Tensor, points: Tensor, landmarks: Tensor, depth: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Give pose and depth as the far camera that networks assume would see the same five points."""
        rotation, place = nominal_rotation(T_cam_model), torch.zeros_like(T_cam_model[:, :3, 3])
        place[:, 2] = self.distance
        nominal = aligned_pose(rotation, five_points(points), five_points(landmarks), self.K, place)
        shift = (nominal[:, 2, 3] - T_cam_model[:, 2, 3])[:, None, None, None]
        return nominal, torch.where(depth > 0, depth + shift, 0.0)

    def _pictures(
        self, flat: Latents, mesh: FaceMesh, points: Tensor, T_cam_model: Tensor, K: Tensor, landmarks: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        anchors = face_anchors(landmarks, self.image_size)
        leaves: tuple[Tensor, ...] = ()
        if "leaves" in flat:
            scenery = self.leaves(flat["leaves"][:, :LEAVES_NUMBERS], background_side(self.image_size))
            leaves = (scenery, flat["leaves"][:, -1])
        background = render_background(flat["ramp"], flat["grids"], flat["shapes"], anchors, self.image_size, *leaves)
        if self.head is not None and {"hair", "glasses", "skin_detail", "lamp"} & set(flat):
            colour = self.complexion.hair_colour(flat["complexion"])
            head = self.head(flat, mesh, points, T_cam_model, K, colour, self.image_size, self.supersampling)
            # Colours are already weighed by what they cover.
            images, skin, depth = background * (1 - head.alpha) + head.image, head.skin, head.depth
        else:
            rendered = self.renderer(mesh, T_cam_model, K, flat["light"], self.image_size, faces=self.faces)
            images = torch.lerp(background, rendered.image.clamp(0, 1), soften(rendered.mask))
            # The background's -1 reads the table's last entry, which is 0.
            skin = self.face_skin[rendered.fragments.pix_to_face][:, None]
            depth = rendered.depth
        images, skin = self._occlude(images, skin, place_shapes(flat["occluder"], anchors))
        return self.camera(images, flat["camera"]), skin, depth

    def _occlude(self, images: Tensor, skin: Tensor, shapes: Tensor) -> tuple[Tensor, Tensor]:
        index = (shapes[..., 11] > 0).any(1).nonzero().squeeze(1)
        if len(index) == 0:
            return images, skin
        painted, covered = paint(images[index], shapes[index])
        return images.index_copy(0, index, painted), skin.index_copy(0, index, skin[index] * (1 - covered))


def first_occurrences(first: Int[Tensor, "B V"]) -> tuple[Int[Tensor, " U"], Int[Tensor, " B*V"]]:
    """Number the distinct things that views show.

    Args:
        first: (B, V) for each view the first view of its sample that shows the same.

    Returns:
        the flat views (U,) that show something for the first time, and for every flat view its place among them.

    Example:
        >>> first_occurrences(torch.tensor([[0, 0, 0], [0, 1, 0]]))
        (tensor([0, 3, 4]), tensor([0, 0, 0, 1, 2, 1]))
    """
    count, views = first.shape
    flat = (first + views * torch.arange(count, device=first.device)[:, None]).flatten()
    new = flat == torch.arange(len(flat), device=first.device)
    return new.nonzero().squeeze(1), (new.cumsum(0) - 1)[flat]


def skin_probability(face_model: FaceModel) -> Float[Tensor, " N"]:
    """Give each vertex its probability of being skin, from the face model's regions.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> model = load_face_model()
        >>> skin = skin_probability(model)
        >>> skin[model.region("teeth")].max(), skin[model.region("nose")].min()
        (tensor(0.), tensor(1.))
    """
    if not set(_NOT_SKIN) & set(face_model.region_names):
        return face_model.region("face_render").float()
    skin = torch.ones(face_model.num_verts, device=face_model.mean.device)
    for name, probability in _NOT_SKIN.items():
        if name in face_model.region_names:
            skin[face_model.region(name)] = probability
    return skin


def soften(mask: Float[Tensor, "B 1 H W"]) -> Float[Tensor, "B 1 H W"]:
    """Make the outermost pixels of a mask partly transparent, as a sensor sees an edge.

    Example:
        >>> edge = torch.tensor([0.0, 0.0, 1.0, 1.0, 1.0]).expand(1, 1, 5, 5)
        >>> [round(value, 3) for value in soften(edge)[0, 0, 2].tolist()]
        [0.0, 0.0, 0.667, 1.0, 1.0]
    """
    return mask * F.avg_pool2d(mask, 3, stride=1, padding=1, count_include_pad=False)
