from datetime import UTC, datetime

import pytest

from eval.night import Night
from eval.tell import LONGEST, message, tell
from ingest.http import Hosts
from ingest.model import Failure
from ingest.report import Report
from ingest.settings import NightlySettings, Settings
from tests.servers import LOOPBACK, Fault, StillClock
from tests.servers.mattermost import KEY, MattermostServer
from tests.servers.smtp import SmtpServer

AT = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
HOSTILE = "wiki:@all @channel @here ![x](http://evil.example/p.png) [y](http://evil.example) `z`"


def night(**more) -> Night:
    return Night(AT, "published", "All is well.", served=4, newest=5, **more)


def settings(**nightly) -> Settings:
    return Settings(nightly=NightlySettings(allow_private=LOOPBACK, **nightly))


def told(what: Night, chosen: Settings) -> list[str]:
    return tell(what, chosen, Hosts(StillClock()))


@pytest.fixture
def mattermost(monkeypatch):
    with MattermostServer() as server:
        monkeypatch.setenv("DOCENT_WEBHOOK", server.hook)
        yield server


@pytest.fixture
def smtp():
    with SmtpServer() as server:
        yield server


def by_mail(smtp: SmtpServer, *to: str, **more) -> Settings:
    return settings(smtp=smtp.place, mail_from="docent@lab.example", mail_to=to, **more)


def test_nobody_is_told_who_is_not_named():
    assert told(night(), settings()) == []


def test_the_channel_gets_the_report(mattermost):
    assert told(night(), settings(webhook_env="DOCENT_WEBHOOK")) == []

    [post] = mattermost.posts
    assert post.startswith(
        "# Docent, night of 2026-11-22 03:00 UTC: generation 5 serves now instead of 4\n"
    )
    assert "All is well." in post


def test_text_of_pages_pings_nobody_and_makes_no_links_or_images(mattermost):
    report = Report("wiki", new=1, failed=[Failure("wiki:x", "wiki", HOSTILE)])
    report.trouble = HOSTILE
    report.name("new", HOSTILE)

    assert told(night(sources=[report]), settings(webhook_env="DOCENT_WEBHOOK")) == []

    [post] = mattermost.posts
    outside = "".join(line for at, line in enumerate(post.split("`")) if at % 2 == 0)
    assert post.count("`") % 2 == 0
    assert post.count("evil.example") == 6
    for harm in ("@", "evil", "![", "]("):
        assert harm not in outside
    for mention in ("@all", "@channel", "@here"):
        assert mention not in post


def test_a_long_report_is_cut_at_a_line_so_that_no_span_is_torn(mattermost):
    many = [Report(f"s{n}", failed=[Failure("x", "s", "reason " * 40)] * 5) for n in range(40)]
    text = message(night(sources=many))

    assert LONGEST - 400 < len(text) <= LONGEST
    assert text.endswith("\n\n… cut here; the whole report lies in the folder of reports.")
    assert all(line.count("`") % 2 == 0 for line in text.splitlines())
    assert told(night(sources=many), settings(webhook_env="DOCENT_WEBHOOK")) == []
    assert len(mattermost.posts[0]) == len(text)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Fault.SERVER_ERROR, "answered 500"),
        (Fault.FORBIDDEN, "answered 403"),
        (Fault.HANG_UP, "the connection broke"),
        (Fault.REDIRECT_INSIDE, "169.254.169.254"),
    ],
)
def test_a_channel_that_does_not_take_it_is_told_without_its_secret(mattermost, fault, says):
    mattermost.fault("/hooks/*", fault)

    [failed] = told(night(), settings(webhook_env="DOCENT_WEBHOOK"))

    assert failed.startswith("The webhook was not told: nightly: ")
    assert says in failed
    assert KEY not in failed
    assert mattermost.asked("/hooks/*") == 1  # a post is not repeated: it may have arrived


def test_a_busy_channel_is_asked_again(mattermost):
    mattermost.fault("/hooks/*", Fault.TOO_MANY_SECONDS, times=1)

    assert told(night(), settings(webhook_env="DOCENT_WEBHOOK")) == []
    assert len(mattermost.posts) == 1


def test_an_inner_address_that_is_not_opened_is_refused(mattermost):
    chosen = Settings(nightly=NightlySettings(webhook_env="DOCENT_WEBHOOK"))

    [failed] = told(night(), chosen)

    assert "an inner address that allow_private does not open" in failed
    assert KEY not in failed
    assert mattermost.requests == []


@pytest.mark.parametrize("address", ["", "not an address", "ftp://x.example/y"])
def test_a_variable_without_an_address_is_named_and_its_value_is_not(monkeypatch, address):
    monkeypatch.setenv("DOCENT_WEBHOOK", address)

    assert told(night(), settings(webhook_env="DOCENT_WEBHOOK")) == [
        "The webhook was not told: DOCENT_WEBHOOK does not hold an address."
    ]


def test_people_get_the_report_by_mail(smtp):
    report = Report("wiki", new=1)
    report.name("new", "wiki:Zürich — ☃")

    assert told(night(sources=[report]), by_mail(smtp, "a@lab.example", "b@lab.example")) == []

    [mail] = smtp.mails
    assert smtp.senders == ["docent@lab.example"]
    assert mail["To"] == "a@lab.example, b@lab.example"
    assert mail["Subject"] == "Docent: generation 5 serves now instead of 4"
    assert mail["Date"] == "Sun, 22 Nov 2026 03:00:00 +0000"
    assert "wiki:Zürich — ☃" in mail.get_content()


def test_somebody_unknown_does_not_keep_it_from_the_others(smtp):
    smtp.unknown = {"b@lab.example"}

    failed = told(night(), by_mail(smtp, "a@lab.example", "b@lab.example"))

    assert failed == ["The mail server does not know b@lab.example."]
    assert len(smtp.mails) == 1


def test_a_mail_server_that_takes_nothing_is_told(smtp):
    smtp.full = True

    [failed] = told(night(), by_mail(smtp, "a@lab.example"))

    assert failed.startswith(f"The mail server {smtp.place} did not take the report: ")
    assert "452" in failed


def test_without_tls_nothing_is_sent_where_it_is_insisted_on(smtp):
    [failed] = told(night(), by_mail(smtp, "a@lab.example", smtp_tls=True))

    assert "did not take the report" in failed
    assert smtp.mails == []


def test_a_mail_server_that_is_away_is_told_beside_a_channel_that_was_told(mattermost):
    with SmtpServer() as gone:
        place = gone.place
    chosen = settings(
        webhook_env="DOCENT_WEBHOOK",
        smtp=place,
        mail_from="d@lab.example",
        mail_to=("a@lab.example",),
    )
    [failed] = told(night(), chosen)

    assert "Connection refused" in failed
    assert len(mattermost.posts) == 1


def test_mail_needs_somebody_to_send_it_to_and_from():
    with pytest.raises(ValueError, match="smtp needs mail_from and mail_to"):
        NightlySettings(smtp="mail.lab.example")
