"""A mail server that takes mail for some people and keeps it (RFC 5321, without extensions)."""

import threading
from email import message_from_bytes, policy
from email.message import EmailMessage
from socketserver import StreamRequestHandler, ThreadingTCPServer
from types import TracebackType
from typing import Self


class SmtpServer:
    """`mails` arrived; `unknown` are the addresses that nothing is taken for."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.senders: list[str] = []
        self.unknown: set[str] = set()
        self.full = False
        handler = type("Handler", (_Handler,), {"system": self})
        self._server = ThreadingTCPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def place(self) -> str:
        """As `[nightly] smtp` names it."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(StreamRequestHandler):
    system: SmtpServer
    timeout = 30

    def handle(self) -> None:
        self._say("220 mail.test.example")
        while line := self.rfile.readline():
            verb = line.strip().upper()
            if verb.startswith(b"MAIL FROM"):
                self.system.senders.append(line.decode().partition(":")[2].strip(" <>\r\n"))
            if verb.startswith(b"RCPT TO"):
                known = line.decode().partition(":")[2].strip(" <>\r\n") not in self.system.unknown
                self._say("250 OK" if known else "550 No such user here")
            elif verb == b"DATA":
                self._take()
            elif verb == b"QUIT":
                self._say("221 Bye")
                return
            elif verb == b"STARTTLS":
                self._say("502 Not here")
            else:
                self._say("250 OK")

    def _take(self) -> None:
        if self.system.full:
            self._say("452 Insufficient system storage")
            return
        self._say("354 Go on")
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        mail = message_from_bytes(b"".join(lines), policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.system.mails.append(mail)
        self._say("250 Taken")

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())
