"""Images that are told apart by what they say at a login, and how one is sent to a lab by hand."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from tests.guests.ground import Ground

SAYING = "/etc/motd"
BLOCK = 4096  # of the file systems that our images have
BOUNDARY = "between-the-parts-of-an-upload"


def marked(image: Path, target: Path, offset: int, word: str) -> None:
    """A copy of a built image whose message of the day begins with a word.

    Only the file's one block is written anew: that costs no second compression.
    """
    raw, block = target.with_suffix(".raw"), target.with_suffix(".block")
    subprocess.run(["qemu-img", "convert", "-O", "raw", str(image), str(raw)], check=True)
    place = f"{raw}?offset={offset}"
    found = subprocess.run(
        ["debugfs", "-R", f"blocks {SAYING}", place], capture_output=True, text=True, check=True
    )
    (number,) = re.findall(r"\d+", found.stdout)
    start = offset + int(number) * BLOCK
    with raw.open("rb") as disk:
        disk.seek(start)
        text = disk.read(BLOCK)
    raw.unlink()
    assert text.rstrip(b"\0").count(b"\n") > 1, "the message of the day is not where it should be"
    block.write_bytes(word.encode() + b"\n" + text[len(word) + 1 :])
    shutil.copyfile(image, target)
    order = f"write -q -s {block} {start} {BLOCK}"
    subprocess.run(["qemu-io", "-f", "qcow2", "-c", order, str(target)], check=True)
    block.unlink()


def send(ground: Ground, host: str, storage: str, file: Path) -> str:
    """Upload an image to a host's storage, as a browser does; the volume that it is then."""
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="content"\r\n\r\nimport\r\n'
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="filename"; '
        f'filename="{file.name}"\r\nContent-Type: application/octet-stream\r\n\r\n'
    )
    body = head.encode() + file.read_bytes() + f"\r\n--{BOUNDARY}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    answer = ground.client.send("POST", f"nodes/{host}/storage/{storage}/upload", body, kind)
    ground.finish(answer.ok())
    return f"{storage}:import/{file.name}"
