"""The page for browsers: a bundle's colours and labels on an image, in a real browser with a runtime that is pretended.

The runtime is not ours and not small; here it answers with the label that each pixel's brightness says.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from PIL import Image

from search.outcome.bundle import BundleContents
from search.outcome.pictures.colours import paint

PAGE = Path(__file__).parents[2] / "examples" / "browser.html"
RUNTIME = """
const ort = {
  env: {wasm: {}},
  Tensor: class { constructor(type, data, dims) { Object.assign(this, {type, data, dims}); } },
  InferenceSession: {create: async (address) => {
    const file = await fetch(address);
    if (!file.ok) throw new Error("no model");
    return {run: async ({images}, names) => {
      if (images.type !== "uint8" || names[0] !== "labels") throw new Error("not as the file has it");
      window.given = images.dims;
      return {labels: {data: images.data.map((value) => value < 100 ? 0 : value < 200 ? 1 : 2)}};
    }};
  }},
};
"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def site(tmp_path: Path, bundle: Path) -> Iterator[str]:
    """The page beside the runtime and a bundle, served."""
    shutil.copyfile(PAGE, tmp_path / "browser.html")
    (tmp_path / "ort.wasm.min.js").write_text(RUNTIME)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/browser.html"
        server.shutdown()


@pytest.mark.whole
def test_the_page_labels_an_image(site: str, contents: BundleContents, tmp_path: Path) -> None:
    executable = shutil.which("chromium")
    if executable is None:
        pytest.skip("no chromium on the path")
    from playwright.sync_api import sync_playwright

    grey = np.repeat(np.array([[10, 150, 250]], np.uint8), 7, axis=1).repeat(9, axis=0)
    Image.fromarray(grey).save(tmp_path / "image.png")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        page = chromium.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(f"{site}?bundle=bundle")
        page.wait_for_function("!document.getElementById('file').disabled")
        page.fill("#opacity", "100")
        page.set_input_files("#file", str(tmp_path / "image.png"))
        page.wait_for_function("document.getElementById('status').textContent.includes('pixels in')")
        assert page.evaluate("window.given") == [1, 1, 9, 21]
        shown = page.evaluate("[...at('result').getContext('2d').getImageData(0, 0, 21, 9).data]")
        expected = paint(np.repeat(np.array([[0, 1, 2]], np.uint8), 7, axis=1).repeat(9, axis=0), contents.facts, None)
        np.testing.assert_array_equal(np.array(shown).reshape(9, 21, 4)[..., :3], expected)
        assert page.inner_text("#classes").splitlines() == ["ground 33.3 %", "a|b <i> 33.3 %", "rock 33.3 %"]
        page.goto(f"{site}?bundle=nothing")
        page.wait_for_function("document.getElementById('status').textContent.includes('no bundle at /nothing/')")
        chromium.close()
    assert faults == []
