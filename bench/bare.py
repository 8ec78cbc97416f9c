"""The bound of the lab's reads: the same HTTP library and TLS, one constant answer, no work.

`python -m bench.bare CERTIFICATE KEY BODY` serves the file BODY on a free loopback port, which it
prints, until its standard input is closed.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from pathlib import Path

from aiohttp import web


async def serve(certificate: str, key: str, body: bytes) -> None:
    """Answer every request with `body`."""

    async def answer(_request: web.BaseRequest) -> web.Response:
        return web.Response(body=body, headers={"Content-Type": "application/json;charset=UTF-8"})

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    runner = web.ServerRunner(web.Server(answer, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], sys.argv[2], Path(sys.argv[3]).read_bytes()))
