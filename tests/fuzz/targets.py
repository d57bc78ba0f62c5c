"""What is fuzzed: for every reader of files, whole files that it reads, and how."""

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from target import Target, array, text
from targets_of_folders import FOLDERS
from targets_of_results import RESULTS

TRIANGLE = [[0.0, 0, 0], [10, 0, 0], [0, 10, 0], [0, 0, 10]], [[0, 1, 2], [0, 2, 3]]


# -- lists, cameras, landmarks ------------------------------------------------------------------------------------


def official_list(file):
    from mgc_lightning.triplets.official import OfficialLayout

    return OfficialLayout(file.parent, "train").entries


def official_sample(file):
    from mgc_lightning.triplets.official import OfficialLayout

    return OfficialLayout(file.parents[1], "train", val_share=0.0)[0]


def make_official(victim):
    def make(folder):
        from triplet_sets import write_official

        from mgc_lightning.face_models import load_face_model
        from mgc_lightning.synthetic.dataset import make_triplets

        write_official(folder, make_triplets(load_face_model(), 1, image_size=32))
        return folder / "person0" / victim

    return make


def camera(file):
    from mgc_lightning.triplets.official import read_camera_file

    return read_camera_file(file)


def csv_list(file):
    from mgc_lightning.photographs.sources.folder import csv_source

    return [vars(photo) for photo in csv_source(file).photos]


def celeba(file):
    from mgc_lightning.photographs.sources.known import celeba_source

    return [vars(photo) for photo in celeba_source(file.parent).photos]


def make_celeba(folder):
    (folder / "img_celeba").mkdir()
    (folder / "identity_CelebA.txt").write_text("".join(f"{n:06d}.jpg {n // 3}\n" for n in range(30)))
    return folder / "identity_CelebA.txt"


def mat_landmarks(file):
    from mgc_lightning.photographs.sources.known import read_mat_landmarks

    return read_mat_landmarks(file)


def make_mat(folder):
    import scipy.io

    scipy.io.savemat(folder / "a.mat", {"pt3d_68": np.random.default_rng(0).uniform(0, 400, (3, 68))})
    return folder / "a.mat"


def landmarks(file):
    from mgc_lightning.photographs.landmark_files import read_landmarks

    return read_landmarks(file)


POINTS = np.random.default_rng(1).uniform(0, 400, (68, 2)).round(2)
ROWS = "\n".join(f"{x} {y}" for x, y in POINTS)
PTS = f"version: 1\nn_points: 68\n{{\n{ROWS}\n}}\n"
CAMERA = "\n".join([*["4700.0 112.0 112.0"] * 3, *(["68", *(f"{x},{y}" for x, y in POINTS)] * 3)]) + "\n"


# -- benchmarks ---------------------------------------------------------------------------------------------------

NOW_LIST = "".join(f"iphone_pictures/subject{n}/selfie/IMG_{n}.jpg\n" for n in range(20))
CSV = "path,identity,capture,landmarks\n" + "".join(f"{n}.jpg,p{n % 3},c,{n}.txt\n" for n in range(9))
SEVEN = np.random.default_rng(2).normal(0, 30, (7, 3)).astype(np.float32)
PICKED = "".join(f'<point x="{x}" y="{y}" z="{z}" active="1"/>\n' for x, y, z in SEVEN)
SCAN_POINTS = json.dumps({"landmarks7": SEVEN.tolist(), "scale_to_mm": 1.0})


def now_list(file):
    from mgc_lightning.evaluation.now.dataset import read_image_list

    return [vars(image) for image in read_image_list(file)]


def picked(file):
    from mgc_lightning.evaluation.now.dataset import read_picked_points

    return read_picked_points(file)


def now_box(file):
    from mgc_lightning.evaluation.now.boxes import read_detected_box

    return read_detected_box(file)


def now_landmarks(file):
    from mgc_lightning.evaluation.now.predictions import read_landmarks

    return read_landmarks(file)


def realy_scales(file):
    from mgc_lightning.evaluation.realy.dataset import REALYDataset

    return REALYDataset(file.parent).scales


def realy_box(file):
    from mgc_lightning.evaluation.realy.photos import _read_box

    return _read_box(file)


def topology(file):
    from mgc_lightning.evaluation.realy.topology import read_topology

    return read_topology(file.with_suffix(".obj"))


def make_topology(folder):
    from mgc_lightning import write_mesh

    write_mesh(folder / "t.obj", *TRIANGLE)
    (folder / "t.txt").write_text(json.dumps([[i % 2, 0.25, 0.5] for i in range(85)]))
    return folder / "t.txt"


def mask(file):
    from mgc_lightning.evaluation.realy.topology import read_mask

    return read_mask(file, 60)


def scan_points(file):
    from mgc_lightning.evaluation.scan.points import read_scan_points

    return read_scan_points(file)


# -- meshes, pictures ---------------------------------------------------------------------------------------------


def mesh(file):
    from mgc_lightning import read_mesh

    return read_mesh(file)


def make_mesh(name, **options):
    def make(folder):
        import trimesh

        from mgc_lightning import write_mesh

        ball = trimesh.creation.icosphere(1)
        if options.get("ascii"):
            trimesh.Trimesh(ball.vertices, ball.faces, process=False).export(folder / name, encoding="ascii")
        else:
            write_mesh(folder / name, ball.vertices, ball.faces, np.abs(ball.vertices).clip(0, 1))
        return folder / name

    return make


def textured(file):
    from mgc_lightning.files.textured import read_textured_mesh

    return read_textured_mesh(file if file.suffix != ".mtl" else file.with_suffix(".obj"))


def make_textured(victim):
    def make(folder):
        Image.fromarray(np.full((16, 16, 3), 90, np.uint8)).save(folder / "s.png")
        (folder / "s.mtl").write_text("newmtl skin\nKd 1 1 1\nmap_Kd s.png\n")
        (folder / "s.obj").write_text(
            "mtllib s.mtl\nusemtl skin\nv 0 0 0\nv 9 0 0\nv 0 9 0\nvt 0 0\nvt 1 0\nvt 0 1\nf 1/1 2/2 3/3\n"
        )
        return folder / victim

    return make


def make_textured_glb(folder):
    import trimesh

    box = trimesh.creation.box()
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (16, 16, 3), dtype=np.uint8))
    visual = trimesh.visual.TextureVisuals(uv=box.vertices[:, :2] + 0.5, image=picture)
    trimesh.Trimesh(box.vertices, box.faces, visual=visual, process=False).export(folder / "s.glb")
    return folder / "s.glb"


def photo(file):
    from mgc_lightning.photographs.photos import read_photo

    return read_photo(file)


def make_photo(name, mode="RGB", **options):
    def make(folder):
        pixels = np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8)
        pixels[:, :, 1] = np.arange(50)
        picture = Image.fromarray(pixels)
        (picture if mode == "RGB" else picture.convert(mode)).save(folder / name, **options)
        return folder / name

    return make


def make_avif(folder):
    """Write one where Pillow can; its reader is asked otherwise, too."""
    make_photo("a.avif")(folder)
    return folder / "a.avif"


def video(file):
    from mgc_lightning.photographs.sources.videos import video_frames

    return [frame.mean().item() for _, _, frame in video_frames(file)]


def make_video(folder):
    from mgc_lightning.reconstruction.video_files import write_video

    with write_video(folder / "a.mp4", 32, 32, rate=10.0) as add:
        for bright in range(0, 250, 25):
            add(np.full((32, 32, 3), bright, np.uint8))
    return folder / "a.mp4"


# -- sets of triplets ---------------------------------------------------------------------------------------------


def make_set(victim):
    def make(folder):
        from triplet_sets import write_set

        from mgc_lightning.face_models import load_face_model
        from mgc_lightning.synthetic.dataset import make_triplets

        write_set(folder, make_triplets(load_face_model(), 2, image_size=32), train=2)
        return folder / victim

    return make


def triplets(file):
    from mgc_lightning.triplets.shards import ShardSet

    samples = ShardSet(file.parent, "train")
    return [samples[index] for index in range(len(samples))]


# -- face models --------------------------------------------------------------------------------------------------


def make_owner(kind, victim):
    def make(folder):
        import owner_files

        source = owner_files.WRITERS[kind](folder, owner_files.tiny_face())
        return source if victim is None else next(source.rglob(victim))

    return make


def owner(kind):
    def read(file):
        from mgc_lightning.face_models.importing import read_owners_files

        source = next((p for p in file.parents if p.name in ("FLAME2020", "FLAME2023")), file)
        if kind == "ict":
            source = file.parents[1]
        return read_owners_files(kind, source).mean

    return read


def pickled(file):
    from mgc_lightning.files.unpickle import load_arrays

    return load_arrays(file)


def make_pickle(folder):
    content = {"v_template": np.zeros((5, 3)), "name": "x", "list": [1, 2.5, None, b"a"], "f": np.arange(6)}
    (folder / "m.pkl").write_bytes(pickle.dumps(content, protocol=2))
    return folder / "m.pkl"


def face_model(file):
    from mgc_lightning.face_models.storage import read_face_model

    return read_face_model(file).fingerprint()


def small_face_model(name):
    def make(folder):
        from mgc_lightning.face_models import load_face_model_data
        from mgc_lightning.face_models.storage import save_face_model

        return save_face_model(load_face_model_data(), folder / name)

    return make


# -- networks -----------------------------------------------------------------------------------------------------


def network():
    from mgc_lightning.encoders import Encoder, ResNet
    from mgc_lightning.face_models import load_face_model
    from mgc_lightning.networks.face_network import FaceNetwork

    torch.manual_seed(0)
    model = load_face_model()
    return FaceNetwork(Encoder(ResNet(18, width=4), model.layout.total, 8), model, image_size=32)


def make_checkpoint(folder):
    from mgc_lightning.networks.face_network import NETWORK_KEY

    net = network()
    state = {f"network.{key}": value for key, value in net.state_dict().items()}
    content = {"state_dict": state, "epoch": 0, "global_step": 5, NETWORK_KEY: net.config}
    content["mgc_hyperparameters"] = {"image_size": 32, "optimizer": None, "face_model": "makehuman"}
    torch.save(content, folder / "a.ckpt")
    return folder / "a.ckpt"


def make_safetensors(folder):
    from mgc_lightning.networks.files import save_network

    return save_network(network(), folder / "network.safetensors")


def make_onnx(folder):
    from mgc_lightning.networks.export import export_network

    export_network(network(), folder, ["onnx"])
    return folder / "network.onnx"


def make_pt2(folder):
    from mgc_lightning.networks.export import export_network

    export_network(network(), folder, ["torch"])
    return folder / "network.pt2"


def loaded(file):
    from mgc_lightning.networks.files import load_network

    return dict(load_network(file).state_dict())


def checkpoint(file):
    from mgc_lightning.files.checkpoints import read_checkpoint

    return read_checkpoint(file)["state_dict"]


def program(file):
    from mgc_lightning.networks.predictor import as_predictor

    return as_predictor(file).coefficients(torch.full((1, 3, 32, 32), 0.5)).to_vector()


def official_weights(file):
    from mgc_lightning.files.weights import read_official

    return read_official(file, "mgcnet")[1]


def make_official_weights(folder):
    from mgc_lightning.files.weights import save_official

    save_official({"weight": torch.arange(12.0)}, folder / "o.safetensors", {"network": "mgcnet"})
    return folder / "o.safetensors"


# -- configs ------------------------------------------------------------------------------------------------------

CONFIG = """\
seed_everything: 0
model:
  backbone:
    class_path: mgc_lightning.encoders.ResNet
    init_args: {depth: 18, width: 4}
  spatial_channels: 4
  image_size: 32
  focal: 4700.0
  optimizer:
    class_path: torch.optim.Adam
    init_args: {lr: 0.001}
  objective:
    weights: {landmark: 1.0, photometric: 2.0}
data:
  class_path: datamodules.SyntheticTriplets
  init_args: {image_size: 32, batch_size: 2, val_size: 1, test_size: 2, train_size: 8}
trainer:
  accelerator: cpu
  logger: false
  max_steps: 2
  enable_progress_bar: false
"""


def config(file):
    """Build what the config says; training itself is left out."""
    import functools
    import warnings

    import lightning.pytorch as pl

    from mgc_lightning.training.cli import run_training

    fit = pl.Trainer.fit
    pl.Trainer.fit = functools.wraps(fit)(lambda self, *args, **named: None)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run_training(["fit", "--config", str(file)])
    finally:
        pl.Trainer.fit = fit
    return None


TARGETS = {
    "official-list": Target(text("train.txt", "".join(f"2 person{n} frame\n" for n in range(30))), official_list),
    "official-strip": Target(make_official("frame.jpg"), official_sample),
    "official-camera": Target(make_official("frame_cam.txt"), official_sample),
    "camera": Target(text("a_cam.txt", CAMERA), camera),
    "csv": Target(text("l.csv", CSV), csv_list),
    "celeba": Target(make_celeba, celeba),
    "mat-landmarks": Target(make_mat, mat_landmarks),
    "landmarks-npy": Target(array("a.npy", POINTS), landmarks),
    "landmarks-txt": Target(text("a.txt", "68\n" + ROWS), landmarks),
    "landmarks-pts": Target(text("a.pts", PTS), landmarks),
    "now-list": Target(text("imagepathsvalidation.txt", NOW_LIST), now_list),
    "now-picked-points": Target(text("s.pp", PICKED), picked),
    "now-box": Target(array("b.npy", {"left": 10.0, "top": 20.0, "right": 110.0, "bottom": 140.0}), now_box),
    "now-landmarks-npy": Target(array("l.npy", SEVEN), now_landmarks),
    "now-landmarks-txt": Target(text("l.txt", "\n".join(" ".join(map(str, row)) for row in SEVEN)), now_landmarks),
    "realy-scales": Target(text("metrical_scale.txt", "".join(f"9.{n}\n" for n in range(30))), realy_scales),
    "realy-box": Target(text("b.txt", "10 20 110 140\n"), realy_box),
    "realy-topology": Target(make_topology, topology),
    "realy-mask": Target(text("m.txt", ", ".join("01"[n % 2] for n in range(60))), mask),
    "scan-points-json": Target(text("s.json", SCAN_POINTS), scan_points),
    "scan-points-txt": Target(text("s.txt", "\n".join(" ".join(map(str, row)) for row in SEVEN)), scan_points),
    "scan-points-npy": Target(array("s.npy", SEVEN), scan_points),
    "obj": Target(make_mesh("m.obj"), mesh),
    "ply": Target(make_mesh("m.ply"), mesh),
    "ply-ascii": Target(make_mesh("m.ply", ascii=True), mesh),
    "glb": Target(make_mesh("m.glb"), mesh),
    "textured-obj": Target(make_textured("s.obj"), textured),
    "textured-mtl": Target(make_textured("s.mtl"), textured),
    "textured-ply": Target(make_mesh("m.ply"), textured),
    "textured-glb": Target(make_textured_glb, textured),
    "png": Target(make_photo("a.png"), photo),
    "png16": Target(make_photo("a.png", "I;16"), photo),
    "jpeg": Target(make_photo("a.jpg"), photo),
    "webp": Target(make_photo("a.webp"), photo),
    "avif": Target(make_avif, photo),
    "gif": Target(make_photo("a.gif", "P"), photo),
    "bmp": Target(make_photo("a.bmp"), photo),
    "tiff": Target(make_photo("a.tiff", compression="tiff_lzw"), photo),
    "video": Target(make_video, video),
    "triplet-shard": Target(make_set("train-000000.tar"), triplets, guarded=True),
    "triplet-manifest": Target(make_set("manifest.json"), triplets),
    "bfm09-h5": Target(make_owner("bfm09", None), owner("bfm09")),
    "bfm-mat": Target(make_owner("bfm09-deep3d", None), owner("bfm09-deep3d")),
    "bfm19-h5": Target(make_owner("bfm19", None), owner("bfm19")),
    "flame-pkl": Target(make_owner("flame2020", "*.pkl"), owner("flame2020")),
    "flame-embedding": Target(make_owner("flame2020", "*.npy"), owner("flame2020")),
    "flame-npz": Target(make_owner("flame2023", "*.npz"), owner("flame2023")),
    "ict-obj": Target(make_owner("ict", "generic_neutral_mesh.obj"), owner("ict")),
    "ict-json": Target(make_owner("ict", "vertex_indices.json"), owner("ict")),
    "pickle": Target(make_pickle, pickled),
    "face-model-npz": Target(small_face_model("m.npz"), face_model, guarded=True),
    "face-model-safetensors": Target(small_face_model("m.safetensors"), face_model, guarded=True),
    "checkpoint": Target(make_checkpoint, checkpoint, guarded=True),
    "checkpoint-network": Target(make_checkpoint, loaded, guarded=True),
    "network-safetensors": Target(make_safetensors, loaded, guarded=True),
    "network-onnx": Target(make_onnx, program, guarded=True),
    "network-pt2": Target(make_pt2, program, guarded=True),
    "official-weights": Target(make_official_weights, official_weights, guarded=True),
    "config": Target(text("c.yaml", CONFIG), config),
    **RESULTS,
    **FOLDERS,
}  # fmt: skip


def fresh(target: Target, folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return target.make(folder)
