"""Libraries that are handed the session; TLS."""

from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext

import pytest
from atlassian import Jira
from gitlab import Gitlab
from gitlab.exceptions import GitlabGetError

from ingest.errors import FetchError, SettingsError, SourceTrouble
from ingest.http import Client, Hosts
from ingest.source_settings import WebSettings
from tests.ingest.http.conftest import Wiki, open_client
from tests.servers import RETRY_AFTER_S, Fault, StillClock, json_answer, settings_for

CERTIFICATE = Path(__file__).parents[2] / "data" / "docs.example.org.pem"


def test_python_gitlab_gets_pace_retries_budget_and_plain_errors(wiki, clock):
    wiki.pages["/api/v4/projects/1"] = json_answer({"id": 1, "name": "docs"})
    wiki.fault("/api/v4/projects/1", Fault.TOO_MANY_SECONDS, times=1)
    client = open_client(wiki, clock, requests=4)
    gitlab = Gitlab(wiki.url, private_token="glpat-x", session=client.session)

    assert gitlab.projects.get(1).name == "docs"
    assert clock.slept == [RETRY_AFTER_S]
    assert wiki.requests[1].headers["user-agent"].startswith("Docent/")
    with pytest.raises(GitlabGetError, match="404"):  # what the library understands, it may have
        gitlab.projects.get(2)
    wiki.fault("/api/v4/projects/1", Fault.LOGIN_PAGE, times=1)
    with pytest.raises(FetchError, match="a sign-in page"):
        gitlab.projects.get(1)
    with pytest.raises(SourceTrouble, match="budget"):
        gitlab.projects.get(1)


def test_a_library_does_not_wait_once_more_where_the_client_has_given_up(wiki, clock):
    wiki.fault("/api/*", Fault.TOO_MANY)
    client = open_client(wiki, clock, retries=1)
    with pytest.raises(FetchError, match="429 Too Many Requests, also after 2 tries") as trouble:
        Gitlab(wiki.url, session=client.session).projects.get(1)
    assert (trouble.value.status, client.requests) == (429, 2)


def test_atlassian_cannot_put_its_own_way_out_in_place(wiki, clock):
    wiki.pages["/rest/api/2/issue/A-1"] = json_answer({"key": "A-1"})
    wiki.fault("/rest/*", Fault.SERVER_ERROR, times=1)
    client = open_client(wiki, clock)
    jira = Jira(wiki.url, session=client.session, backoff_and_retry=True)

    assert jira.issue("A-1") == {"key": "A-1"}
    assert client.requests == 2
    with pytest.raises(FetchError, match="inner address"):
        jira.get("http://169.254.169.254/", absolute=True)


def test_a_streamed_answer_is_whole_already(wiki):
    reply = open_client(wiki).session.get(f"{wiki.url}/wiki/Plain", stream=True)
    assert b"".join(reply.iter_content(2)) == b"plain"
    assert reply.text == "plain"


def test_a_head_request_has_no_body(wiki):
    reply = open_client(wiki).session.head(f"{wiki.url}/wiki/Plain")
    assert (reply.status_code, reply.content) == (200, b"")


def test_what_requests_itself_refuses_is_a_fetch_error_too(wiki):
    session = open_client(wiki).session
    with pytest.raises(FetchError, match="cannot be asked for"):
        session.get("no scheme")
    with pytest.raises(FetchError, match="cannot be asked for"):
        session.get(wiki.url, headers={"X-Broken": "a\nb"})
    assert wiki.requests == []


class Tls:
    """A server whose certificate is for docs.example.org, and a way to reach it by any name."""

    def __init__(self):
        context = SSLContext(PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        self.server = Wiki(tls=context)

    def client(self, name, **settings):
        web = settings_for(self.server, WebSettings, **settings)
        told = web.model_copy(update={"url": f"https://{name}:{self.server.port}/"})
        hosts = Hosts(StillClock(), lambda host, port: ["127.0.0.1"])
        return Client("wiki", told, "me@example.org", hosts)


def test_the_certificate_is_checked_against_the_name_and_not_the_address():
    tls = Tls()
    with tls.server as server:
        assert tls.client("docs.example.org", ca_file=CERTIFICATE).get("/wiki/Home").status == 200
        heard = len(server.requests)

        for client, words in (
            (tls.client("evil.example.org", ca_file=CERTIFICATE), "Hostname mismatch"),
            (tls.client("docs.example.org"), "self.signed certificate"),
        ):
            with pytest.raises(FetchError, match=rf"no trusted connection \(.*{words}") as trouble:
                client.get("/wiki/Home")
            assert (trouble.value.status, client.requests) == (0, 0)
            with pytest.raises(FetchError, match="no trusted connection"):
                client.session.get(f"{client._settings.url}wiki/Home", verify=False)
        assert len(server.requests) == heard


def test_a_server_that_speaks_no_tls_is_no_trusted_connection(wiki):
    web = settings_for(wiki, WebSettings, retries=1)
    told = web.model_copy(update={"url": wiki.url.replace("http:", "https:")})
    client = Client("wiki", told, "me@example.org", Hosts(StillClock()))
    with pytest.raises(FetchError, match=r"no trusted connection \(.*\), also after 2 tries"):
        client.get("/")


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_file_that_cannot_be_used_is_a_wrong_setting(wiki, tmp_path, content):
    if content:
        (tmp_path / "ca.pem").write_text(content)
    with pytest.raises(SettingsError, match=r"\[sources\.wiki\] ca_file .*ca\.pem cannot be used"):
        open_client(wiki, ca_file=tmp_path / "ca.pem")
