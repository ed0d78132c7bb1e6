"""The report in a real browser, at the width of a desk and of a phone: no error, no overflow, controls that work."""

import asyncio
import contextlib
import json
import shutil
import subprocess
from pathlib import Path

import aiohttp
import pytest
import yaml
from qff.config import load_study
from qff.report.build import Study, build

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = ROOT / "results/published"
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WIDTHS = {"desktop": 1280, "tablet": 768, "phone": 360}
WIDE = "document.documentElement.scrollWidth - window.innerWidth"
CHECKS = {
    "overflow": WIDE,
    "without_alt": "[...document.images].filter(i => !i.alt).length",
    "broken_images": "[...document.images].filter(i => !i.complete || !i.naturalWidth).length",
    "unnamed": "[...document.querySelectorAll('button,canvas,svg,select,input')].filter(e => !e.closest('label') && "
    "!e.textContent.trim() && !e.getAttribute('aria-label')).length",
}


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    """A report of the published record, as far as that goes without the run itself."""
    results = tmp_path_factory.mktemp("page") / "results/study"
    results.mkdir(parents=True)
    for name in ("claims.csv", "metrics.csv", "figures"):
        (results / name).symlink_to(PUBLISHED / name)
    config = yaml.safe_load((PUBLISHED / "config.yaml").read_text(encoding="utf-8"))
    study = load_study(config, ROOT / "config")
    systems = {name: study.systems[name].label for name in study.config.systems}
    for name in systems:
        (results / "reference" / name).mkdir(parents=True)
        (results / "reference" / name / "labels.extxyz").symlink_to(PUBLISHED / f"reference/{name}.extxyz")
    labels = {name: study.models[name].label for name in study.config.models}
    shown = {name: {r: study.shown(name, r) for r in ("comparison", "optimiser", "choice")} for name in systems}
    path = results / "report.html"
    path.write_text(build(Study(config, systems, labels, shown), results, PUBLISHED), encoding="utf-8")
    return path


class Tab:
    """A page of a headless browser, spoken to through its DevTools port."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse):
        self.socket, self.count, self.complaints = socket, 0, []

    async def send(self, method: str, **params) -> dict:
        self.count += 1
        await self.socket.send_json({"id": self.count, "method": method, "params": params})
        while True:
            message = await self.socket.receive_json(timeout=120)
            if message.get("method") == "Runtime.exceptionThrown":
                self.complaints.append(message["params"]["exceptionDetails"]["text"])
            if message.get("method") == "Log.entryAdded" and message["params"]["entry"]["level"] in (
                "error",
                "warning",
            ):
                self.complaints.append(message["params"]["entry"]["text"])
            if message.get("id") == self.count:
                assert "error" not in message, message
                return message["result"]

    async def value(self, expression: str):
        found = await self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")


@contextlib.asynccontextmanager
async def opened(page: Path, profile: Path, width: int):
    words = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--remote-debugging-port=0",
        f"--user-data-dir={profile}",
    ]
    browser = subprocess.Popen([BROWSER, *words, "about:blank"], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        port = profile / "DevToolsActivePort"
        while not port.is_file() or not port.read_text():
            assert browser.poll() is None, "the browser ended"
            await asyncio.sleep(0.1)
        address = f"http://127.0.0.1:{port.read_text().split()[0]}/json"
        async with aiohttp.ClientSession() as session:
            targets = await (await session.get(address)).json(content_type=None)
            target = next(t for t in targets if t["type"] == "page")
            async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                tab = Tab(socket)
                for domain in ("Runtime", "Log", "Page"):
                    await tab.send(f"{domain}.enable")
                size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
                await tab.send("Emulation.setDeviceMetricsOverride", **size)
                await tab.send("Page.navigate", url=page.as_uri())
                ready = "document.readyState === 'complete' && !!document.getElementById('overview')"
                while not await tab.value(ready):
                    await asyncio.sleep(0.2)
                yield tab
    finally:
        browser.kill()
        browser.wait()


async def look(page: Path, profile: Path, width: int) -> dict:
    async with opened(page, profile, width) as tab:
        found = {name: await tab.value(expression) for name, expression in CHECKS.items()}
        rows = "[...document.querySelectorAll('#overview tbody tr')]"
        found["rows"] = await tab.value(f"{rows}.length")
        await tab.value("document.querySelector('#filter input').click()")
        found["filtered"] = await tab.value(f"{rows}.filter(r => !r.hidden).length")
        await tab.value("document.querySelectorAll('#overview thead button')[5].click()")
        found["sorted"] = await tab.value(f"{rows}.map(r => r.dataset.verdict)")
        await tab.value("document.querySelector('#explore circle').dispatchEvent(new Event('pointerenter'))")
        found["hover"] = await tab.value("document.querySelector('#explore output').textContent")
        pixels = "document.querySelector('#viewer canvas').toDataURL()"
        before = await tab.value(pixels)
        turn = "new KeyboardEvent('keydown', {key: 'ArrowLeft', cancelable: true})"
        await tab.value(f"document.querySelector('#viewer canvas').dispatchEvent({turn})")
        found["turned"] = await tab.value(pixels) != before
        await tab.value("document.querySelectorAll('details').forEach(d => { d.open = true; })")
        found["overflow_with_all_open"] = await tab.value(WIDE)
        found["complaints"] = tab.complaints
        return found


@pytest.mark.skipif(BROWSER is None, reason="no chromium or chrome on this machine")
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS.keys())
def test_the_page_works(page, tmp_path, width):
    found = asyncio.run(look(page, tmp_path, width))
    print(json.dumps(found))
    assert found["complaints"] == []
    assert found["overflow"] <= 0
    assert found["overflow_with_all_open"] <= 0
    assert found["without_alt"] == found["broken_images"] == found["unnamed"] == 0
    assert 0 < found["filtered"] < found["rows"]
    assert found["sorted"] == sorted(found["sorted"])
    assert ", seed 0: " in found["hover"]
    assert found["turned"]
