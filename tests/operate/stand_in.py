"""A stand-in for a site's API over TLS: canned answers by path, nothing more."""

from __future__ import annotations

import datetime
import ipaddress
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

TOKEN = "root@pam!test=secret"


def certificate(folder: Path) -> Path:
    """A self-signed certificate for 127.0.0.1 with its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stand-in")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "stand-in.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


class StandIn:
    """Answers GET with `answers[path]`; a (status, reason) pair is an error; others are 501."""

    def __init__(self, folder: Path, port: int, *, newest: ssl.TLSVersion | None = None) -> None:
        self.answers: dict[str, Any] = {}
        self.calls: list[str] = []
        self.token = TOKEN
        self.pem = certificate(folder)
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # an answer in one piece; else each waits for an acknowledgement

            def answer(self) -> None:
                stand_in.answer(self)

            do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 - http.server's names

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.pem)
        if newest is not None:
            context.maximum_version = newest
        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Write one answer."""
        path = unquote(request.path.removeprefix("/api2/json").partition("?")[0])
        self.calls.append(f"{request.command} {path}")
        found = self.answers.get(path, (501, f"Method '{request.command} {path}' not implemented"))
        if request.headers.get("Authorization") != f"PVEAPIToken={self.token}":
            found = (401, "invalid token value!")
        status, reason = found if isinstance(found, tuple) else (200, "OK")
        body = b"" if status == 401 else json.dumps(
            {"data": None if status != 200 else found}
        ).encode()  # fmt: skip
        if isinstance(found, bytes):
            body = found
        request.send_response(status, reason)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()


def healthy(answers: dict[str, Any]) -> None:
    """A site of two hosts that has all that the tests' stacks need, and their template."""
    bridge = [{"iface": "vmbr0", "type": "bridge"}, {"iface": "vmbr1", "type": "bridge"}]
    answers.update(
        {
            "/version": {"version": "9.0.3", "release": "9.0"},
            "/nodes": [
                {"node": "pve01", "status": "online"},
                {"node": "pve02", "status": "online"},
            ],
            "/pools": [{"poolid": "practicum-event"}],
            "/nodes/pve01/network": bridge,
            "/nodes/pve02/network": bridge,
            "/cluster/resources": [
                *(
                    {"type": "storage", "node": node, "storage": name, "status": "available"}
                    for node in ("pve01", "pve02")
                    for name in ("local", "shared")
                ),
                {
                    "type": "qemu",
                    "vmid": 9000,
                    "name": "debian-12",
                    "node": "pve01",
                    "template": 1,
                    "tags": "practicum;site;template",
                },
            ],
            "/nodes/pve01/storage/shared/content": [{"volid": "shared:import/debian-12.qcow2"}],
        }
    )
