"""An errand: what one step of an Ansible task wants of a guest. Runs there, as root.

Its text is sent to the guest's own Python, so it uses nothing but the standard library (3.9 and
newer). Data is in base64, since it need not be text.
"""

from __future__ import annotations

import base64
import json  # noqa: F401 - the text around this one uses it
import os
import subprocess
from typing import Any

PIECE = 4 * 1024 * 1024
"""Bytes of a file that are fetched at once; an agent tells at most 16 MiB of output."""
MOST = 3 * 1024 * 1024
"""Bytes of each output that are told."""
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "USER": "root",
    "LOGNAME": "root",
}


def errand(wanted: dict[str, Any]) -> dict[str, Any]:
    """`run` a command of sh with `data` as its input, `put` `data` at a path, or `fetch` a piece
    of a file; an `error` is told in words."""
    data = base64.b64decode(wanted.get("data", ""))
    try:
        if wanted["do"] == "run":
            return _run(wanted["command"], data)
        if wanted["do"] == "put":
            handle = os.open(wanted["path"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            return {}
        with open(wanted["path"], "rb") as file:
            file.seek(wanted["start"])
            return {"data": base64.b64encode(file.read(PIECE)).decode()}
    except OSError as error:
        return {"error": f"{wanted.get('path', 'sh')}: {error.strerror}"}


def _run(command: str, data: bytes) -> dict[str, Any]:
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        input=data,
        capture_output=True,
        cwd="/root" if os.path.isdir("/root") else "/",
        env=ENVIRONMENT,
        check=False,
    )
    out, errors = (base64.b64encode(each[:MOST]).decode() for each in (done.stdout, done.stderr))
    return {"code": done.returncode, "out": out, "errors": errors}
