"""`python -m lab serve --state DIR --seed FILE`: the lab in the foreground until SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
import sys
from pathlib import Path

from lab.seed import SeedError
from lab.serve import Options, ServeError, Server, ready_line
from lab.store import StoreError


def main(argv: list[str] | None = None) -> int:
    """Run the lab; exit status 1 and one line for what the user can put right."""
    arguments = _parser().parse_args(argv)
    options = Options(
        state=arguments.state,
        seed=arguments.seed,
        port=arguments.port,
        auth_delay_s=arguments.auth_delay,
    )
    try:
        logging.basicConfig(
            filename=_log_file(arguments.state),
            level=arguments.log_level.upper(),
            format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        )
        asyncio.run(_serve(options))
    except (ServeError, SeedError, StoreError) as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{error.filename or arguments.state}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lab", description=__doc__)
    verbs = parser.add_subparsers(required=True)
    serve = verbs.add_parser("serve", help="answer the Proxmox VE API on a loopback port")
    serve.add_argument("--state", type=Path, required=True, help="folder of everything kept")
    serve.add_argument("--seed", type=Path, required=True, help="JSON: hosts, storages, images")
    serve.add_argument("--port", type=int, default=0, help="default: a free one")
    serve.add_argument("--auth-delay", type=float, default=3.0, help="seconds before a 401")
    serve.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    return parser


def _log_file(state: Path) -> Path:
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    return state / "lab.log"


async def _serve(options: Options) -> None:
    server = Server(options)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    try:
        await server.start()
        print(json.dumps(ready_line(server, options)), flush=True)
        await ended.wait()
    finally:
        await server.stop()


if __name__ == "__main__":
    sys.exit(main())
