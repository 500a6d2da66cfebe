"""Where the editor of these tests and the packaged extension lie."""

from pathlib import Path

from tests.web.browser import chromium

ROOT = Path(__file__).parents[3]
CODE_SERVER = Path(__file__).parent / "editor" / "node_modules" / "code-server"
VSIX = ROOT / "web" / "vscode" / "dist" / "docent.vsix"


def missing() -> str:
    """What these tests lack on this machine; empty for nothing."""
    if not chromium():
        return "Chromium"
    if not (CODE_SERVER / "lib" / "vscode" / "node_modules").is_dir():
        return "code-server"
    return "" if VSIX.is_file() else "the packaged extension"
