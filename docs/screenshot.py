"""Makes docs/console.png: starts a platform with the sample plugins, lets things happen to it, and takes a picture.

Run by hand: `python docs/screenshot.py [file [width height [light|dark]]]`. It needs Playwright and a chromium on PATH.
"""

from __future__ import annotations

import base64
import math
import shutil
import struct
import sys
import tempfile
import time
import zlib
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Literal

from playwright.sync_api import Page, sync_playwright

from botplatform.hosts.local.platform import Platform
from botplatform.sending import Sender
from botplatform.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
HAPPENED = (
    "mqtt/kitchen-temperature.json",
    "slack/mention.json",
    "cloudtrail/alice-signs-in.json",
    "mqtt/front-door-reports.json",
    "schedule/morning-digest.json",
    "cloudevents/order-created.json",
    "mqtt/attic-too-hot.json",
    "cloudtrail/root-signs-in.json",
    "mqtt/washing-machine.json",
    "mqtt/attic-still-too-hot.json",
)
COLOURS = 600
Scheme = Literal["light", "dark"]
CHROMIUM = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


def main(file: str = "docs/console.png", width: str = "1280", height: str = "800", scheme: Scheme = "light") -> None:
    """Take the picture; `file` is relative to the repository."""
    with tempfile.TemporaryDirectory() as state:
        recipients = "owner=+15550100"
        mapping = {"BOTPLATFORM_STATE": state, "BOTPLATFORM_PORT": "0", "MQTT_PORT": "0"}
        settings = Settings.read({**mapping, "BOTPLATFORM_RECIPIENTS": recipients})
        platform = Platform(settings, [ROOT / "plugins"], entry_points=False)
        platform.start()
        try:
            _happen(platform, settings)
            _picture(platform.url, ROOT / file, int(width), int(height), scheme)
        finally:
            platform.stop()


def _happen(platform: Platform, settings: Settings) -> None:
    """Send some of the samples, one after the other."""
    sender = Sender(settings, platform.url, platform.mqtt_url)
    while not (platform.devices and platform.devices.client.connected):
        time.sleep(0.05)
    for number, name in enumerate(HAPPENED, 1):
        sender.send(ROOT / "events" / name)
        while len(platform.store.log.events()) < number or platform.busy():
            time.sleep(0.05)
        time.sleep(0.7)  # in life, too, not all of it happens in the same second


def _picture(url: str, file: Path, width: int, height: int, scheme: Scheme) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(CHROMIUM))
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        page.goto(f"{url}/console/")
        _talk(page)
        picture = base64.b64encode(page.screenshot()).decode()
        pixels = base64.b64decode(browser.new_page().evaluate(_PIXELS, picture))
        browser.close()
    file.write_bytes(_png(pixels, width, height))


_PIXELS = """async (picture) => {
    const image = await createImageBitmap(await (await fetch("data:image/png;base64," + picture)).blob());
    const canvas = new OffscreenCanvas(image.width, image.height).getContext("2d");
    canvas.drawImage(image, 0, 0);
    return new Uint8Array(canvas.getImageData(0, 0, image.width, image.height).data.buffer).toBase64();
}"""


def _png(pixels: bytes, width: int, height: int) -> bytes:
    """RGBA pixels as a PNG of the most frequent colours, which is smaller by far (PNG specification, 11.2)."""
    colours = [pixels[start : start + 3] for start in range(0, len(pixels), 4)]
    kept = [colour for colour, _ in Counter(colours).most_common(COLOURS)]
    nearest = {colour: min(kept, key=partial(math.dist, colour)) for colour in set(colours)}
    rows = (
        b"".join(map(nearest.__getitem__, colours[start : start + width])) for start in range(0, len(colours), width)
    )
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows), 9)),
        (b"IEND", b""),
    )
    framed = (struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def _talk(page: Page) -> None:
    """Speak in the boxes of the console, and wait until all of it is shown."""
    for typed in ("/temp kitchen", "/unlock front door"):
        page.fill("#speak-slack [name=text]", typed)
        page.press("#speak-slack [name=text]", "Enter")
        page.wait_for_selector("#speak-slack .chat:not(:has(.pending)) .reply")
    page.wait_for_timeout(1500)


if __name__ == "__main__":
    main(*sys.argv[1:])  # type: ignore[arg-type]
