"""Whom the night tells: a Mattermost channel through the guarded client, and people by mail.

Nothing here may fail the night: what did not arrive is a sentence, and the report holds it.
"""

import os
import smtplib
import ssl
from email.message import EmailMessage
from urllib.parse import urlsplit

from pydantic import ValidationError

from eval.night import Night, markdown
from ingest.errors import DocentError
from ingest.http import Client, Hosts
from ingest.outbound.guard import shown
from ingest.settings import NightlySettings, Settings
from ingest.source_settings import WebSettings

LONGEST = 16_000
"""Characters of a message: Mattermost takes 16,383."""
NAMED = 5
"""So many pages of a kind are named in a message; the report on the disk has more."""
TIMEOUT_S = 30.0


def tell(night: Night, settings: Settings, hosts: Hosts | None = None) -> list[str]:
    """Post and send the report as the settings say; one sentence for each that did not arrive."""
    chosen = settings.nightly
    failed = []
    if chosen.webhook_env:
        failed.append(_posted(message(night), settings, hosts or Hosts()))
    if chosen.smtp:
        failed.append(_sent(night, chosen))
    return [told for told in failed if told]


def message(night: Night) -> str:
    """The report as one message, cut at the end of a line where it is too long."""
    text = markdown(night, NAMED)
    if len(text) <= LONGEST:
        return text
    rest = "\n\n… cut here; the whole report lies in the folder of reports."
    return text[: text.rindex("\n", 0, LONGEST - len(rest))] + rest


def _posted(text: str, settings: Settings, hosts: Hosts) -> str:
    """Why the webhook did not take it; empty when it did. Its address is a secret."""
    chosen = settings.nightly
    address = os.environ.get(chosen.webhook_env, "")
    try:
        web = WebSettings.model_validate(
            {
                "url": address,
                "timeout_s": TIMEOUT_S,
                "retries": 2,
                "max_wait_s": TIMEOUT_S,
                "allow_private": chosen.allow_private,
                "ca_file": chosen.ca_file,
            }
        )
    except ValidationError:
        return f"The webhook was not told: {chosen.webhook_env} does not hold an address."
    try:
        client = Client("nightly", web, settings.ingest.contact, hosts)
        try:
            client.post("", {"text": text})
        finally:
            client.close()
    except DocentError as error:
        return f"The webhook was not told: {_masked(str(error), str(web.url))}"
    return ""


def _masked(text: str, address: str) -> str:
    """Without the part of the address that lets anybody post."""
    path = urlsplit(shown(address)).path
    return text.replace(path, "/...") if len(path) > 1 else text


def _sent(night: Night, chosen: NightlySettings) -> str:
    """Why the mail was not taken; empty when it was."""
    mail = EmailMessage()
    mail["Subject"] = f"Docent: {night.headline}"
    mail["From"] = chosen.mail_from
    mail["To"] = ", ".join(chosen.mail_to)
    mail["Date"] = night.started
    mail.set_content(markdown(night))
    host, _, port = chosen.smtp.partition(":")
    try:
        with smtplib.SMTP(host, int(port or 25), timeout=TIMEOUT_S) as server:
            if chosen.smtp_tls:
                server.starttls(context=ssl.create_default_context(cafile=chosen.ca_file))
            refused = server.send_message(mail)
    except (OSError, ValueError) as error:
        return f"The mail server {chosen.smtp} did not take the report: {error}."
    return f"The mail server does not know {', '.join(refused)}." if refused else ""
