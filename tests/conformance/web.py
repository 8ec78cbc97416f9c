"""A web server that storages of a lab or a cluster can fetch files from."""

from __future__ import annotations

import http.server
import threading
from types import TracebackType


class _Files(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        size = self.path.split("/")[1]
        if not size.isdigit():
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", size)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(b"a" * int(size))

    do_HEAD = do_GET  # noqa: N815 - the name that requests are handed out by

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing."""


class Web:
    """Answers `/SIZE/NAME` with that many bytes `a`, and everything else with 404."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._server = http.server.ThreadingHTTPServer((host, port), _Files)
        self.address = f"{host}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Web:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
