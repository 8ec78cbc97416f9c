"""Uploads, and downloads from a server on loopback."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import struct
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from lab.call import Upload
from tests.lab.direct import Api, RefusedError

BODY = b"a" * 4096
LOCAL = "nodes/pve1/storage/local"


class Files(BaseHTTPRequestHandler):
    """Serves one file under any name below /ok/; nothing else is found."""

    def do_GET(self) -> None:
        if not self.path.startswith("/ok/"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        body = gzip.compress(BODY) if self.path.endswith(".gz") else BODY
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 - the name that the standard library looks for

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - likewise
        """Say nothing."""


@pytest.fixture
def web() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def upload(api: Api, name: str, body: bytes, content: str, **params: str) -> dict[str, Any]:
    spool = api.state / "uploads"
    spool.mkdir(exist_ok=True)
    path = spool / "part"
    path.write_bytes(body)
    brought = Upload(field="filename", filename=name, path=path, size=len(body))
    values = {"content": content, "filename": name, **params}
    task: dict[str, Any] = api.upload(f"{LOCAL}/upload", brought, **values)
    return task


def contents(api: Api) -> dict[str, int]:
    return {row["volid"]: row["size"] for row in api.ask("GET", f"{LOCAL}/content")}


def test_an_uploaded_file_is_kept_and_replaced_by_the_next_of_its_name(api: Api) -> None:
    assert upload(api, "a.iso", BODY, "iso")["status"] == "OK"
    assert upload(api, "../a.iso", BODY * 2, "iso")["status"] == "OK"
    assert contents(api) == {"local:iso/a.iso": 2 * len(BODY)}
    kept = api.lab.store.get("volume", "pve1/local:iso/a.iso") or {}
    assert (api.state / kept["file"]).read_bytes() == BODY * 2


def test_an_uploaded_disk_is_as_large_as_its_header_says(api: Api) -> None:
    header = struct.pack(">4sIQIIQ", b"QFI\xfb", 3, 0, 0, 16, 8 << 30)
    assert upload(api, "d.qcow2", header + BODY, "import")["status"] == "OK"
    assert contents(api) == {"local:import/d.qcow2": 8 << 30}
    api.create(100, scsi0="pool:0,import-from=local:import/d.qcow2")
    assert api.config(100)["scsi0"] == "pool:100/vm-100-disk-0.qcow2,size=8G"


def test_what_is_no_qcow2_image_fails_the_task(api: Api) -> None:
    task = upload(api, "d.qcow2", BODY, "import")
    assert task["status"].endswith("': Image is not in qcow2 format")
    assert contents(api) == {}


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("a.txt", "iso", "wrong file extension"),
        ("a.zip", "import", "invalid filename or wrong extension"),
    ],
)
def test_a_file_with_another_extension_is_refused(
    api: Api, name: str, content: str, text: str
) -> None:
    with pytest.raises(RefusedError) as refused:
        upload(api, name, BODY, content)
    assert refused.value.errors == {"filename": text}


def test_an_upload_with_a_wrong_checksum_fails_and_leaves_nothing(api: Api) -> None:
    task = upload(api, "a.iso", BODY, "iso", checksum="00", **{"checksum-algorithm": "md5"})
    got = hashlib.md5(BODY, usedforsecurity=False).hexdigest()
    assert task["status"] == f"checksum mismatch: got '{got}' != expect '00'"
    assert contents(api) == {}
    assert list((api.state / "uploads").iterdir()) == []


def test_a_url_tells_name_size_and_type(api: Api, web: str) -> None:
    query = "nodes/pve1/query-url-metadata"
    assert api.ask("GET", query, url=f"{web}/ok/a.iso") == {
        "filename": "a.iso",
        "size": len(BODY),
        "mimetype": "application/octet-stream",
    }
    assert "filename" not in api.ask("GET", query, url=f"{web}/ok/")
    with pytest.raises(RefusedError, match="invalid server response: '404 Not Found'"):
        api.ask("GET", query, url=f"{web}/none/a.iso")


def download(api: Api, url: str, name: str, **params: str) -> dict[str, Any]:
    values = {"url": url, "content": "iso", "filename": name, **params}
    task: dict[str, Any] = api.ask("POST", f"{LOCAL}/download-url", **values)
    return task


def test_a_download_is_kept_and_not_overwritten(api: Api, web: str) -> None:
    checksum = {
        "checksum": hashlib.sha256(BODY).hexdigest(),
        "checksum-algorithm": "sha256",
    }
    task = download(api, f"{web}/ok/x", "a.iso", **checksum)
    assert (task["id"], task["status"]) == ("a.iso", "OK")
    assert contents(api) == {"local:iso/a.iso": len(BODY)}
    again = download(api, f"{web}/ok/x", "a.iso")
    text = "refusing to override existing file '/var/lib/vz/template/iso/a.iso'"
    assert again["status"] == text
    # A file that is known to be the wanted one is as good as a download.
    assert download(api, f"{web}/ok/x", "a.iso", **checksum)["status"] == "OK"


def test_a_packed_image_is_unpacked(api: Api, web: str) -> None:
    assert download(api, f"{web}/ok/x.gz", "a.iso", compression="gz")["status"] == "OK"
    assert contents(api) == {"local:iso/a.iso": len(BODY)}
    bad = download(api, f"{web}/ok/x", "b.iso", compression="bz2")
    assert bad["status"].startswith("command 'bzcat -q /var/lib/vz/template/iso/b.iso.tmp_dwnl.")
    assert bad["status"].endswith("' failed: exit code 2")
    unknown = download(api, f"{web}/ok/x", "b.iso", compression="rar")
    assert unknown["status"] == "no decompression method found"
    assert contents(api) == {"local:iso/a.iso": len(BODY)}


def test_a_failed_download_names_the_exit_code_and_leaves_nothing(api: Api, web: str) -> None:
    assert download(api, f"{web}/none/x", "a.iso")["status"] == "download failed: exit code 8"
    wrong = {"checksum": "00", "checksum-algorithm": "md5"}
    assert download(api, f"{web}/ok/x", "a.iso", **wrong)["status"].startswith("checksum mismatch")
    assert contents(api) == {}
    assert list((api.state / "uploads").iterdir()) == []


def test_names_are_cleaned_and_hidden_files_are_not_listed(api: Api, web: str) -> None:
    assert download(api, f"{web}/ok/x", "a/b c.iso")["id"] == "b_c.iso"
    assert download(api, f"{web}/ok/x", "..iso")["status"] == "OK"
    assert set(contents(api)) == {"local:iso/b_c.iso"}


def test_a_deleted_file_is_gone_from_the_disk(api: Api) -> None:
    upload(api, "a.iso", BODY, "iso")
    row = api.lab.store.get("volume", "pve1/local:iso/a.iso") or {}
    file: Path = api.state / row["file"]
    assert file.exists()
    api.done("DELETE", f"{LOCAL}/content/local:iso/a.iso")
    assert not file.exists()


def test_a_large_download_does_not_stop_the_lab(api: Api, web: str) -> None:
    async def both() -> tuple[Any, Any]:
        values = {"url": f"{web}/ok/x", "content": "iso", "filename": "a.iso"}
        return await asyncio.gather(
            api.asking("POST", f"{LOCAL}/download-url", **values),
            api.asking("GET", f"{LOCAL}/status"),
        )

    task, status = asyncio.run(both())
    assert task["status"] == "OK"
    assert status["active"] == 1
