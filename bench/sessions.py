"""Bare SSH sessions: one for each guest, in which sh runs a script; the least that anybody does.

`python sessions.py JOBS`, with the Python of a venv that has asyncssh: JOBS is a file of JSON,
`{"key": path, "atOnce": n, "guests": [{"name", "port", "script"}]}`. Exit code 1 tells on standard
error where a script failed.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import asyncssh


async def main(jobs: dict[str, Any]) -> list[str]:
    """Run all; a line for each guest on which it failed."""
    room = asyncio.Semaphore(jobs["atOnce"])
    key = asyncssh.read_private_key(jobs["key"])

    async def one(guest: dict[str, Any]) -> str:
        async with room, asyncssh.connect(
            "127.0.0.1", guest["port"], username="root", client_keys=[key], known_hosts=None,
            config=None, agent_path=None, login_timeout=600, connect_timeout=600,
        ) as session:  # fmt: skip
            done = await session.run("sh", input=guest["script"], stderr=asyncssh.STDOUT)
        return "" if done.exit_status == 0 else f"{guest['name']}: {str(done.stdout)[-300:]}"

    return [told for told in await asyncio.gather(*map(one, jobs["guests"])) if told]


if __name__ == "__main__":
    with open(sys.argv[1]) as file:
        failed = asyncio.run(main(json.load(file)))
    sys.exit("\n".join(failed) or 0)
