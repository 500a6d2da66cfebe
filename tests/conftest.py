"""What holds for all tests: the report says at its head what this machine lets them try."""

from tests.web.browser import chromium


def pytest_report_header() -> str:
    found = chromium()
    return f"chromium: {found}" if found else (
        "chromium: none is installed, so the chat page is NOT tried in a browser (tests/web/e2e)"
    )  # fmt: skip
