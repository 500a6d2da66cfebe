"""What holds for all tests: the report says at its head what this machine lets them try."""

from tests import vllm
from tests.web import vscode
from tests.web.browser import chromium


def pytest_report_header() -> list[str]:
    found, lacking, engine = chromium(), vscode.missing(), vllm.missing()
    return [
        f"chromium: {found}" if found else
        "chromium: none is installed, so the chat page is NOT tried in a browser (tests/web/e2e)",
        f"editor: {lacking} is missing, so the extension is NOT tried in one: `make vscode-e2e`"
        if lacking else "editor: code-server, with the packaged extension",
        f"vllm: {engine}, so the real engine is NOT tried: `make vllm-test`"
        if engine else "vllm: the build for processors",
    ]  # fmt: skip
