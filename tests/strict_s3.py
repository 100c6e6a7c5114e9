"""An S3 server of the older kind, before another one: it refuses the checksums of newer clients."""

import http.client
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

REFUSED = (
    b'<?xml version="1.0"?><Error><Code>NotImplemented</Code><Message>A header you provided '
    b"implies functionality that is not implemented</Message></Error>"
)
OF_CONNECTION = ("connection", "content-length", "date", "server", "transfer-encoding")


@contextmanager
def strict(port: int) -> Iterator[int]:
    """Pass on to the server at a port what has no checksum: the port to ask instead."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Strict)
    server.behind = port  # pyright: ignore[reportAttributeAccessIssue]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


class Strict(http.server.BaseHTTPRequestHandler):
    """A request, refused or passed on as it is."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def answer(self) -> None:
        """Refuse a checksum in a header or behind the body, and the wish to have one sent."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        names = {name.lower() for name in self.headers}
        encoding = self.headers.get("Content-Encoding", "")
        if "aws-chunked" in encoding or any("checksum" in name for name in names):
            self.reply(501, {}, REFUSED, len(REFUSED))
            return
        behind = http.client.HTTPConnection("127.0.0.1", self.server.behind)  # pyright: ignore
        behind.request(self.command, self.path, body, dict(self.headers))
        said = behind.getresponse()
        content = said.read()
        length = int(said.getheader("Content-Length") or len(content))
        self.reply(said.status, dict(said.getheaders()), content, length)
        behind.close()

    def reply(self, status: int, headers: dict[str, str], content: bytes, length: int) -> None:
        """Send an answer; that to HEAD has a length and no content."""
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in OF_CONNECTION:
                self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer
