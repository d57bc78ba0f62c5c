"""The local page, on Gradio: photographs in, faces out; nothing is kept, nobody else is asked."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mgc_lightning.app.guard import middleware
from mgc_lightning.app.studio import (
    Change,
    Format,
    Studio,
    check_networks,
    difference,
    face_file,
    shown_data,
    sliders_of,
)
from mgc_lightning.app.uploads import MOST_BYTES, MOST_FILES, take_uploads
from mgc_lightning.errors import MGCError, require
from mgc_lightning.networks.predictor import as_predictor
from mgc_lightning.networks.settings import NetworkSource
from mgc_lightning.photographs.detection import FaceDetector
from mgc_lightning.photographs.detectors import make_detector
from mgc_lightning.pictures.embedding import data_uri
from mgc_lightning.pictures.viewer import viewer_frame
from mgc_lightning.reconstruction.pictures import draw_in_photograph
from mgc_lightning.reconstruction.reconstructor import FaceReconstructor
from mgc_lightning.reconstruction.result import Reconstruction
from mgc_lightning.rendering.renderer import FaceRenderer
from mgc_lightning.report.markup import Html, join, tag

Found = list[tuple[str, dict[str, Reconstruction]]]
"""Faces by what they are called, each as every network sees it."""
SUFFIXES = [".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"]
FORGET = 1800
"""Seconds after which a visitor's faces are forgotten."""
_EMPTY = "Drop photographs above: the faces that are found in them appear here."
_SEND = """(data) => { if (!data) return; const all = JSON.parse(data);
document.querySelectorAll('iframe.mgc-face').forEach((frame, i) => {
  if (all[i]) frame.contentWindow.postMessage({mgcFace: all[i]}, '*'); }); }"""
_SAVE = """(data) => { if (!data) return; const file = JSON.parse(data);
const bytes = Uint8Array.from(atob(file.data), letter => letter.charCodeAt(0));
const link = document.createElement('a');
link.href = URL.createObjectURL(new Blob([bytes], {type: file.type})); link.download = file.name; link.click();
setTimeout(() => URL.revokeObjectURL(link.href), 1000); }"""
_CSS = """.mgc-faces { display: flex; flex-wrap: wrap; gap: 14px } .mgc-faces > div { flex: 1 1 280px; min-width: 0 }
.mgc-faces img { width: 100%; max-height: 420px; object-fit: contain; border-radius: 8px }
footer { display: none !important }
.mgc-note { opacity: .75; font-size: 14px; overflow-wrap: anywhere }"""


@contextlib.contextmanager
def serve_app(
    network: NetworkSource,
    compare: str | Path | None = None,
    host: str = "127.0.0.1",
    port: int = 7860,
    detector: FaceDetector | None = None,
) -> Iterator[str]:
    """Serve the page while a block runs, and give its address.

    Uploads go to a temporary folder of this process, and are removed when they are read; what is kept of them, in
    memory and for half an hour at most, is what the page shows.

    Args:
        network: the network.
        compare: a second checkpoint or export, whose faces are shown beside.
        host: address that is listened on; the default is reached from this machine alone.
        port: its port; 0 for any that is free.
        detector: finds faces; the automatic one if not given.

    Raises:
        MissingExtraError: if Gradio is not installed.
        MGCError: if a network cannot be loaded, or the port is taken.
    """
    with tempfile.TemporaryDirectory(prefix="mgc-app-") as folder:
        os.environ |= {"GRADIO_TEMP_DIR": folder, "GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_SHARE": "False"}
        os.environ |= {"HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}
        gradio = require("gradio", "app")
        page = build_page(gradio, Studio(_networks(network, compare, detector)))
        try:
            page.launch(
                server_name=host,
                server_port=port or None,
                share=False,
                quiet=True,
                max_file_size=MOST_BYTES,
                enable_monitoring=False,
                ssr_mode=False,
                mcp_server=False,
                pwa=False,
                footer_links=[],
                theme=gradio.themes.Base(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
                css=_CSS,
                app_kwargs={"middleware": middleware(host, Path(folder))},
                prevent_thread_lock=True,
            )
        except OSError as error:
            raise MGCError(f"`port` {port} of {host} cannot be listened on: {error}") from error
        try:
            yield page.local_url
        finally:
            page.close()


def run_app(
    network: NetworkSource, compare: str | Path | None = None, host: str = "127.0.0.1", port: int = 7860
) -> None:
    """Serve the page until it is stopped; arguments as in `serve_app`."""
    with serve_app(network, compare, host, port) as address, contextlib.suppress(KeyboardInterrupt):
        print(f"{address} (until Ctrl+C)", flush=True)
        threading.Event().wait()


def _networks(
    source: NetworkSource, compare: str | Path | None, detector: FaceDetector | None
) -> dict[str, FaceReconstructor]:
    first = as_predictor(source)
    finder = detector or make_detector("auto", str(first.device), ())
    names = [_name(source.checkpoint)]
    networks = {names[0]: FaceReconstructor(first, finder, first.device)}
    if compare is not None:
        names.append(str(compare))
        check_networks(names)
        other = NetworkSource(compare, source.face_model, source.level, source.imports, source.device)
        networks[names[1]] = FaceReconstructor(as_predictor(other), finder, first.device)
    return networks


def _name(checkpoint: str | Path | None) -> str:
    return "the network of the package" if checkpoint is None else str(checkpoint)


def build_page(gradio: Any, studio: Studio) -> Any:
    """Lay the page out.

    Args:
        gradio: the module.
        studio: what it shows.
    """
    model = next(iter(studio.networks.values())).face_model
    labels = list(sliders_of(model))
    named = labels[0] == "smile"

    def look(files: Sequence[str] | None) -> tuple[Any, ...]:
        found, troubles = find_faces(studio, files or [])
        names = [name for name, _ in found]
        choice = gradio.Dropdown(choices=names, value=names[0] if names else None, visible=len(names) > 1)
        resets = [gradio.Slider(value=value) for value in [*[0.0] * len(labels), 1.0, 1.0, 0.0]]
        return (None, found, choice, show(found, names[0] if names else None, troubles), *resets)

    def pick(found: Found | None, name: str | None, *values: float) -> str:
        return show(found or [], name, [], change_of(labels, values))

    def change(found: Found | None, name: str | None, *values: float) -> str:
        faces = dict(found or []).get(name or "", {})
        return json.dumps([shown_data(face, change_of(labels, values)) for face in faces.values()])

    def save(kind: Format) -> Any:
        def packed(found: Found | None, name: str | None, *values: float) -> str:
            faces = dict(found or []).get(name or "", {})
            if not faces:
                raise gradio.Error("There is no face yet: drop a photograph first.", print_exception=False)
            data = face_file(next(iter(faces.values())), change_of(labels, values), kind)
            sort = "model/gltf-binary" if kind == "glb" else "model/obj"
            return json.dumps({"name": f"face.{kind}", "type": sort, "data": base64.b64encode(data).decode()})

        return packed

    with gradio.Blocks(analytics_enabled=False, title="MGC-Lightning", delete_cache=(60, 300)) as page:
        gradio.HTML(str(_intro(studio)))
        found = gradio.State([], time_to_live=FORGET)
        message, file = gradio.Textbox(visible="hidden"), gradio.Textbox(visible="hidden")
        with gradio.Row():
            with gradio.Column(scale=5, min_width=280):
                photos = gradio.File(
                    file_count="multiple", file_types=SUFFIXES, label=f"Photographs, up to {MOST_FILES}", height=140
                )
                choice = gradio.Dropdown(choices=[], label="Face", visible=False, interactive=True)
                shown = gradio.HTML(str(tag("p", _EMPTY, class_="mgc-note")))
            with gradio.Column(scale=2, min_width=280):
                least = 0.0 if named else -3.0
                most = 1.0 if named else 3.0
                sliders = [gradio.Slider(least, most, 0.0, step=0.05, label=label.capitalize()) for label in labels]
                sliders += [
                    gradio.Slider(0.0, 1.5, 1.0, step=0.05, label="Expression of the photograph"),
                    gradio.Slider(0.0, 2.0, 1.0, step=0.05, label="Strength of the light"),
                    gradio.Slider(-180, 180, 0, step=5, label="Turn of the light, degrees"),
                ]
                with gradio.Row():
                    buttons = {kind: gradio.Button(f"Download {kind.upper()}") for kind in ("obj", "glb")}
        hidden: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        photos.upload(look, photos, [photos, found, choice, shown, *sliders], api_visibility="private")
        inputs = [found, choice, *sliders]
        choice.input(pick, inputs, shown, **hidden)
        for slider in sliders:
            moved = slider.input(change, inputs, message, trigger_mode="always_last", **hidden)
            moved.then(None, message, None, js=_SEND, **hidden)
        for kind, button in buttons.items():
            button.click(save(kind), inputs, file, **hidden).then(None, file, None, js=_SAVE, **hidden)  # type: ignore[arg-type]
    return page


def _intro(studio: Studio) -> Html:
    words = " and ".join(studio.networks)
    text = "Photographs stay on this machine, and are removed when they are read. Seen by "
    return join([tag("h1", "From a photograph to a face"), tag("p", text, words, ".", class_="mgc-note")])


def change_of(labels: Sequence[str], values: Sequence[float]) -> Change:
    """Turn the sliders' values into a change, each held within what its slider gives."""
    given = [min(180.0, max(-180.0, float(value))) for value in values]
    moved = {label: max(-3.0, min(3.0, value)) for label, value in zip(labels, given, strict=False)}
    own, light, turn = given[len(labels) :]
    return Change(moved, max(0.0, min(1.5, own)), max(0.0, min(2.0, light)), turn)


def find_faces(studio: Studio, files: Sequence[str | Path]) -> tuple[Found, list[str]]:
    """Find the faces of uploads; give them with what could not be used, and why."""
    found: Found = []
    troubles: list[str] = []
    try:
        photos = take_uploads(files)
    except MGCError as error:
        return found, [str(error)]
    for name, photo in photos:
        try:
            if isinstance(photo, MGCError):
                raise photo
            faces = studio.look(name, photo)
        except MGCError as error:
            troubles.append(str(error) if name in str(error) else f"{name}: {error}")
            continue
        for number, face in enumerate(faces, start=1):
            title = name if len(faces) == 1 else f"{name}, face {number}"
            same = sum(before == title or before.startswith(f"{title} (") for before, _ in found)
            found.append((f"{title} ({same + 1})" if same else title, face))
    return found, troubles


def show(found: Found, name: str | None, troubles: Sequence[str], change: Change | None = None) -> str:
    """Give the markup of one face: overlay and turning, by each network; and what could not be used."""
    faces = dict(found).get(name or "", {})
    columns = []
    for network, face in faces.items():
        overlay = tag("img", src=data_uri(draw_in_photograph(face, face.face_model, FaceRenderer()), 900), alt=name)
        title = [tag("h3", network)] if len(faces) > 1 else []
        turning = Html(viewer_frame(shown_data(face, change or Change()), 380))
        columns.append(tag("div", *title, overlay, tag("div", turning, style="margin-top:10px")))
    notes = [tag("p", text, class_="mgc-note") for text in [*troubles, difference(faces)] if text]
    if not columns and not notes:
        notes = [tag("p", _EMPTY, class_="mgc-note")]
    return str(join([tag("div", *columns, class_="mgc-faces"), *notes]))
