import re
from pathlib import Path

import pytest

CHAT = Path(__file__).parents[2] / "web" / "chat"


@pytest.mark.parametrize("path", ["/", "/documents/twiki%3AA%2FB", "/documents/a/b?start=1&end=2"])
async def test_the_page_is_served_where_people_come_in(client, path):
    response = await client.get(path)

    assert response.status_code == 200
    assert response.text == (CHAT / "index.html").read_text()
    assert (await client.head(path)).status_code == 200


async def test_everything_the_pages_load_is_there_and_ours(client):
    for page in ("/", "/docs"):
        text = (await client.get(page)).text
        loaded = re.findall(r'(?:src|href)="(/chat/[^"]+)"', text)
        assert loaded
        for path in loaded:
            assert (await client.get(path)).status_code == 200
        assert "//" not in re.sub(r"<!doctype html>", "", text)


def test_no_script_parses_text_as_markup():
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\(|srcdoc"
    scripts = sorted(CHAT.glob("*.js"))
    assert len(scripts) == 6
    for script in scripts:
        assert not re.search(forbidden, script.read_text()), script.name


def test_no_page_has_inline_scripts_or_styles():
    for page in CHAT.glob("*.html"):
        text = page.read_text()
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", text), page.name


async def test_static_files_stay_in_their_folder(client):
    for path in ("/chat/../cli.py", "/chat/%2e%2e/cli.py", "/chat/..%2fcli.py"):
        assert (await client.get(path)).status_code == 404
