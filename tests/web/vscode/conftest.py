"""The packaged extension in a real editor, in the Chromium of this machine, over a fake assistant.

`make vscode-e2e` installs the editor (npm's `code-server`). Where there is none these tests are
deselected, and the head of the report says so; the extension's own tests (`make test`) are not.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import (
    Browser,
    FrameLocator,
    Locator,
    Page,
    expect,
    sync_playwright,
)

from tests.web.browser import chromium
from tests.web.e2e.conftest import FLAGS
from tests.web.signin.conftest import listen
from tests.web.vscode import CODE_SERVER, VSIX, missing

FRAME_MS = 90_000
PATIENCE_MS = 300_000
"""An editor is large, and a machine under load draws it slowly; nothing waits longer than it has
to."""
STARTS_WITHIN_S = 600

MENU = """Muon trigger menu
=================

The menu of the 2025 run, kept by the trigger group.

Thresholds
----------

The **L1_MU4** trigger 🧲 fires at `4 GeV` in the barrel
and needs two stations. It is prescaled by 20 at high luminosity.
"""
CODE = """from menu import Threshold

GRL = "runs.xml"
Threshold("L1_MU4", gev=5).check()
SECRET = "not asked about"
"""
BROKEN = '{\n  "threshold": 4\n  "stations": 2\n}\n'

USER_SETTINGS = {
    "workbench.startupEditor": "none",
    "workbench.tips.enabled": False,
    "chat.disableAIFeatures": True,
    "editor.hover.delay": 100,
    "extensions.autoCheckUpdates": False,
    "extensions.autoUpdate": False,
    "telemetry.telemetryLevel": "off",
    "editor.wordWrap": "off",
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not missing():
        return
    here = [item for item in items if item.path.parent == Path(__file__).parent]
    if here:
        config.hook.pytest_deselected(items=here)
        items[:] = [item for item in items if item not in here]


@dataclass(frozen=True)
class Editor:
    """A running code-server with the extension, and the folder that is open in it."""

    address: str
    folder: Path
    settings: Path

    def points_to(self, server: str) -> None:
        """Set the address of Docent, as a person does in the settings."""
        self.settings.write_text(json.dumps({"docent.server": server}))


@pytest.fixture(scope="session")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    home = tmp_path_factory.mktemp("editor")
    data, folder = home / "data", home / "analysis"
    for name, content in (
        ("Trigger/MuonMenu.txt", MENU), ("src/menu.py", CODE),
        ("src/barrel.py", CODE), ("broken.json", BROKEN),
        (".git/config", '[remote "origin"]\n\turl = https://ada:pw@git.example.org/muon/menu.git\n'),
    ):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    for place, told in (("User", USER_SETTINGS), ("Machine", {})):
        (data / place).mkdir(parents=True)
        (data / place / "settings.json").write_text(json.dumps(told))
    with listen() as free:
        port = free.getsockname()[1]
    node = shutil.which("node", path=str(Path(sys.executable).parent)) or "node"
    common = [
        node, str(CODE_SERVER), "--user-data-dir", str(data),
        "--extensions-dir", str(home / "more"),
    ]  # fmt: skip
    # Its own gallery, and what it would find there, is nobody's business.
    gallery = json.dumps({"serviceUrl": "http://127.0.0.1:9", "itemUrl": "http://127.0.0.1:9"})
    env = {**os.environ, "HOME": str(home), "EXTENSIONS_GALLERY": gallery}
    subprocess.run(
        [*common, "--install-extension", str(VSIX)],
        env=env,
        check=True,
        capture_output=True,
        timeout=300,
    )
    serve = [
        *common, "--auth", "none", "--bind-addr", f"127.0.0.1:{port}", "--disable-telemetry",
        "--disable-update-check", "--disable-workspace-trust", str(folder),
    ]  # fmt: skip
    with (home / "log").open("wb") as log:
        # A group of its own: it starts processes of its own, and ends them not always.
        running = subprocess.Popen(serve, env=env, stdout=log, stderr=log, start_new_session=True)
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(f"{address}/healthz", running)
            yield Editor(f"{address}/?folder={folder}", folder, data / "Machine" / "settings.json")
        finally:
            os.killpg(running.pid, signal.SIGTERM)
            running.wait(30)


def _wait_for(address: str, running: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + STARTS_WITHIN_S
    with httpx.Client(transport=httpx.HTTPTransport(retries=3)) as client:
        while time.monotonic() < deadline:
            assert running.poll() is None, "The editor ended before it was ready."
            try:
                if client.get(address, timeout=10).is_success:
                    return
            except httpx.TransportError:
                continue
    raise AssertionError(f"The editor is not ready after {STARTS_WITHIN_S} s.")


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        yield browser
        browser.close()


class Window:
    """One window of the editor, and the panel in it."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @property
    def panel(self) -> FrameLocator:
        """The page of the side panel: a frame in a frame, as the editor has it."""
        outer = self.page.frame_locator("iframe.webview.ready")
        return outer.frame_locator("#active-frame")

    def show_panel(self) -> None:
        """Where a machine is slow the editor gives up its frame; people load the window anew."""
        tab, field = self.page.get_by_role("tab", name="Docent").first, "#question"
        tab.click()
        try:
            expect(self.panel.locator(field)).to_be_visible(timeout=FRAME_MS)
        except AssertionError:
            self.page.reload()
            if tab.get_attribute("aria-selected") != "true":
                tab.click()
            expect(self.panel.locator(field)).to_be_visible()

    def ask(self, question: str) -> None:
        self.panel.locator("#question").fill(question)
        self.panel.locator("#question").press("Enter")

    def pick(self, keys: str, text: str, wanted: str) -> None:
        """Type into the quick input, once it is there, and take what was wanted when it comes."""
        self.page.keyboard.press(keys)
        field = self.page.locator(".quick-input-widget input.input")
        expect(field).to_be_focused()
        field.fill(text)
        first = self.page.locator(".quick-input-list .monaco-list-row.focused")
        expect(first).to_contain_text(wanted)
        self.page.keyboard.press("Enter")

    def command(self, title: str) -> None:
        self.pick("F1", f">{title}", title)

    def open_file(self, name: str, line: int = 1) -> None:
        self.pick("Control+P", f"{name}:{line}", name)
        expect(self.position).to_have_text(f"Ln {line}, Col 1")

    @property
    def position(self) -> Locator:
        return self.page.locator("#status\\.editor\\.selection")

    @property
    def lines(self) -> list[str]:
        """The lines of the editor that are seen, from the top."""
        shown = self.page.locator(".editor-instance .view-line").all()
        placed = [(line.bounding_box() or {"y": 0})["y"] for line in shown]
        texts = [line.inner_text().replace("\xa0", " ") for line in shown]
        return [text for _, text in sorted(zip(placed, texts, strict=True))]


@pytest.fixture
def window(chrome: Browser, editor: Editor) -> Iterator[Window]:
    context = chrome.new_context(viewport={"width": 1400, "height": 900}, locale="en-GB")
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(editor.address)
    expect(page.locator(".monaco-workbench")).to_be_visible()
    window = Window(page)
    window.show_panel()
    yield window
    folder = os.environ.get("DOCENT_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"vscode-{time.time_ns()}.png")
    context.close()
