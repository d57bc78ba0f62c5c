"""The local page in a browser: photographs dropped, sliders moved, files taken, nothing kept and nobody else asked."""

import base64
import json
import os
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from browser import Browser, needs_browser
from PIL import Image
from tiny_networks import make_network

from mgc_lightning.errors import MissingExtraError
from mgc_lightning.networks.files import save_network
from mgc_lightning.networks.settings import NetworkSource


def test_without_gradio(monkeypatch):
    import sys

    from mgc_lightning.app.page import run_app

    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(MissingExtraError, match=r"mgc-lightning\[app\]"):
        run_app(NetworkSource())


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    pytest.importorskip("gradio")
    from test_studio import Answers

    from mgc_lightning.app.page import serve_app

    file = save_network(make_network(), tmp_path_factory.mktemp("network") / "network.safetensors")
    with serve_app(NetworkSource(file), port=0, detector=Answers()) as address:
        yield address


DROP = """(async (data, name) => {
  const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
  const files = new DataTransfer();
  files.items.add(new File([bytes], name, {type: 'image/png'}));
  const input = document.querySelector('input[type=file]');
  input.files = files.files;
  input.dispatchEvent(new Event('change', {bubbles: true}));
})"""
SLIDE = """((label, value) => {
  const input = [...document.querySelectorAll('input[type=range]')].find(each =>
    (each.getAttribute('aria-label') || each.closest('.block').textContent).includes(label));
  input.value = value;
  for (const kind of ['input', 'change', 'pointerup']) input.dispatchEvent(new Event(kind, {bubbles: true}));
})"""


@needs_browser
@pytest.mark.parametrize(("width", "dark"), [(1200, False), (390, True)])
def test_in_a_browser(served, tmp_path, width, dark):
    path = tmp_path / "a.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (260, 240, 3), np.uint8)).save(path)
    data = base64.b64encode(path.read_bytes()).decode()
    name = "<b>anna</b>.png"
    uploaded = Path(os.environ["GRADIO_TEMP_DIR"])
    with Browser(width, 1400, dark) as browser:
        browser.open(served)
        browser.wait("document.querySelectorAll('input[type=file]').length > 0", 60)
        browser.run("window.saved = null; 0")
        browser.run(f"{DROP}({json.dumps(data)}, {json.dumps(name)})")
        browser.wait("document.querySelectorAll('iframe.mgc-face').length === 1", 60)
        assert browser.run("document.querySelectorAll('.mgc-faces img').length") == 1
        # Gradio leaves an empty file for each name.
        assert not [file for file in uploaded.rglob("*") if file.is_file() and file.stat().st_size]
        assert browser.run("document.documentElement.scrollWidth") <= width
        time.sleep(1)
        # A slider moves the face in its place: the frame stays, a message goes to it.
        browser.run("window.face = document.querySelector('iframe.mgc-face'); 0")
        before = browser.picture()
        browser.run(f"{SLIDE}('Strength of the light', 0)")
        time.sleep(3)
        assert browser.run("face.isConnected")
        assert np.abs(browser.picture() - before).mean() > 0.2
        browser.run("URL.createObjectURL = blob => { window.saved = blob.size; return 'blob:nothing'; }; 0")
        browser.run("[...document.querySelectorAll('button')].find(b => b.textContent.includes('OBJ')).click()")
        browser.wait("window.saved > 10000")
        if shots := os.environ.get("MGC_SCREENSHOTS"):
            Image.fromarray(browser.picture().astype(np.uint8)).save(f"{shots}/app_{width}.png")
        elsewhere = [a for a in browser.requests() if not a.startswith((served, "data:", "blob:", "about:"))]
        assert all("cdnjs" in address or "fonts" in address for address in elsewhere)  # asked for by Gradio's page
        blocked = [text for text in browser.complaints() if isinstance(text, str) and "Content Security Policy" in text]
        assert len(blocked) >= len(set(elsewhere))


def test_only_by_its_own_name(served):
    request = urllib.request.Request(served, headers={"Host": "example.org"})
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(request, timeout=10)
    with urllib.request.urlopen(served, timeout=10) as answer:
        assert "connect-src 'self'" in answer.headers["Content-Security-Policy"]


def test_what_is_not_taken(served):
    """Files that are too large are refused while they come."""
    body = (
        b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
        + bytes(21 << 20)
        + b"\r\n--x--\r\n"
    )
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    request = urllib.request.Request(f"{served}gradio_api/upload", body, headers)
    with pytest.raises((urllib.error.HTTPError, ConnectionError, urllib.error.URLError)):
        urllib.request.urlopen(request, timeout=20)
