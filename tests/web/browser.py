"""A real Chromium, driven over the DevTools protocol: click, type, look, take pictures.

A driver of a hundred lines instead of a browser-test library: that would bring a browser of its own
and a Node.js, and what we ask of one is to run a line of JavaScript and say whether it holds.
"""

import base64
import json
import shutil
import subprocess
import tempfile
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-dev-shm-usage",
    # No name but ours may resolve: a page that tries to reach anything else fails.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--remote-debugging-port=0",
)
DEADLINE_S = 8


def chromium() -> str | None:
    """Where a Chromium is installed, if one is."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


def _address(process: subprocess.Popen[str]) -> str:
    said = []
    for line in process.stderr or ():
        said.append(line)
        if line.startswith("DevTools listening on "):
            return line.split()[-1]
    msg = f"Chromium did not start: {''.join(said)}"
    raise RuntimeError(msg)


class Browser:
    """One Chromium with one page. A context manager."""

    def __init__(self, executable: str, width: int = 1280, height: int = 800) -> None:
        self._executable = executable
        self._size = (width, height)
        self._ids = count(1)
        self.messages: list[str] = []
        """What the page wrote to its console, policy violations and uncaught errors among it."""

    def __enter__(self) -> "Browser":
        with ExitStack() as opened:
            profile = opened.enter_context(
                tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
            )
            process = opened.enter_context(
                subprocess.Popen(
                    [self._executable, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            opened.callback(process.terminate)
            self._socket = opened.enter_context(
                connect(_address(process), max_size=None, compression=None)
            )
            self._session = ""
            self._attach()
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._opened.close()

    def _attach(self) -> None:
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        attached = self.call("Target.attachToTarget", targetId=page, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.resize(*self._size)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and give its result."""
        number = next(self._ids)
        command = {"id": number, "method": method, "params": params}
        if self._session:
            command["sessionId"] = self._session
        self._socket.send(json.dumps(command))
        while True:
            message = json.loads(self._socket.recv(DEADLINE_S))
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                result: dict[str, Any] = message["result"]
                return result
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        params = message.get("params", {})
        match message.get("method"):
            case "Log.entryAdded":
                self.messages.append(params["entry"]["text"])
            case "Runtime.consoleAPICalled":
                self.messages.append(str([arg.get("value") for arg in params["args"]]))
            case "Runtime.exceptionThrown":
                self.messages.append(str(params["exceptionDetails"]))

    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression; a promise is awaited."""
        result = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in result:
            raise AssertionError(result["exceptionDetails"]["exception"].get("description"))
        return result["result"].get("value")

    def open(self, url: str) -> None:
        """Go to an address and wait until its scripts have run."""
        self.call("Page.navigate", url=url)
        self.wait("location.href !== 'about:blank' && document.readyState === 'complete'")

    def wait(self, condition: str) -> Any:
        """Wait until a JavaScript condition holds; give its value."""
        return self.run(
            f"""new Promise((done, failed) => {{
                const end = performance.now() + {DEADLINE_S * 500};
                const look = () => {{
                  const value = {condition};
                  if (value) done(value);
                  else if (performance.now() > end) {{
                    failed(new Error({json.dumps(condition)} + " never came true. The page says: "
                      + document.body.innerText.slice(0, 2000)));
                  }} else setTimeout(look, 10);
                }};
                look();
            }})"""
        )

    def text(self, selector: str) -> str:
        """The text that is shown in the first element that fits, once there is one."""
        return str(self.wait(f"document.querySelector({json.dumps(selector)})?.innerText"))

    def shows(self, selector: str, part: str) -> None:
        """Wait until the first element that fits shows a text with this part in it."""
        element = f"document.querySelector({json.dumps(selector)})"
        self.wait(f"{element}?.innerText.includes({json.dumps(part)})")

    def click(self, selector: str) -> None:
        """Click in the middle of an element with the mouse, as a person does."""
        x, y = self.wait(
            f"""(() => {{
                const element = document.querySelector({json.dumps(selector)});
                if (!element) return null;
                element.scrollIntoView({{block: "nearest"}});
                const box = element.getClientRects()[0];
                return box && [box.x + box.width / 2, box.y + box.height / 2];
            }})()"""
        )
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def type(self, text: str) -> None:
        """Type into whatever has the focus."""
        self.call("Input.insertText", text=text)

    def press(self, key: str, code: int, modifiers: int = 0) -> None:
        """Press a key, such as `press("Enter", 13)`."""
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=code,
                modifiers=modifiers,
                **(text if kind == "keyDown" else {}),
            )

    def resize(self, width: int, height: int, *, dark: bool = False) -> None:
        """Show the page at this size, as a reader with this taste sees it."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self, path: Path) -> None:
        """Write what is seen now as a PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))
