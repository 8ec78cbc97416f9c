"""The lab as a program: `python -m lab serve` in the foreground until SIGTERM, and what is done to
the state of a lab that does not run: `export`, `import`, `fill`."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab import archive, methods
from lab.archive import ArchiveError
from lab.engines import choice
from lab.engines.lxc.images import default_folder
from lab.errors import TaskError
from lab.population import populate
from lab.realistic import CLONE_S, limits
from lab.rootless.keeper import wanted
from lab.seed import SeedError
from lab.serve import DATABASE, Options, ServeError, Server, lock_state, ready_line
from lab.store import Store, StoreError


def main(argv: list[str] | None = None) -> int:
    """Run the lab; exit status 1 and one line for what the user can put right."""
    arguments = _parser().parse_args(argv)
    if wanted():  # on Debian a user does not find nft
        os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin"
    try:
        arguments.work(arguments)
    except (ServeError, SeedError, StoreError, ArchiveError, TaskError) as error:
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
    serve.set_defaults(work=_serve_until_ended)
    serve.add_argument("--seed", type=Path, required=True, help="JSON: hosts, storages, images")
    serve.add_argument("--port", type=int, default=0, help="default: a free one")
    serve.add_argument("--auth-delay", type=float, default=3.0, help="seconds before a 401")
    serve.add_argument("--engine", default="none", choices=choice.ENGINES, help="runs guests")
    serve.add_argument("--images", type=Path, default=default_folder(), help="built images")
    serve.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    serve.add_argument(
        "--realistic", action="store_true",
        help="3 workers a host, 10 s for a lock, 1 s for the source of a clone, clones take time",
    )  # fmt: skip
    serve.add_argument(
        "--clone-seconds", type=_seconds, metavar="H",
        help=f"time of a clone's disk under its storage's lock; realistic: {CLONE_S}, else 0",
    )  # fmt: skip
    serve.add_argument(
        "--clock", type=_seconds, default=1.0, metavar="FACTOR",
        help="multiplies all waits of the simulated cluster; 0.1 is ten times faster",
    )  # fmt: skip
    others = _others(verbs)
    for verb in (serve, *others):
        verb.add_argument("--state", type=Path, required=True, help="folder of everything kept")
    return parser


def _others(verbs: Any) -> list[argparse.ArgumentParser]:
    """The verbs beside `serve` that work on a state folder."""
    export = verbs.add_parser("export", help="write all that a lab knows as JSON")
    export.set_defaults(work=_export)
    export.add_argument("file", type=Path)
    load = verbs.add_parser("import", help="put an export in place of all that a lab knows")
    load.set_defaults(work=_import)
    load.add_argument("file", type=Path)
    fill = verbs.add_parser("fill", help="add guests to a lab, for measurements")
    fill.set_defaults(work=_fill)
    fill.add_argument("--guests", type=int, required=True)
    listed = verbs.add_parser("methods", help="print what the lab has of each method of the API")
    listed.set_defaults(work=lambda _arguments: print(methods.page(), end=""))
    off = verbs.add_parser("power-off", help="end what a lab has left running; disks are kept")
    off.set_defaults(work=_power_off)
    forget = verbs.add_parser(
        "forget", help="end what a lab has left running, and remove its folder"
    )
    forget.set_defaults(work=_forget)
    joined = verbs.add_parser("connect", help="standard input and output to a port of a guest")
    joined.set_defaults(work=_connect)
    joined.add_argument("vmid", type=int)
    joined.add_argument("port", type=int)
    chosen = verbs.add_parser("engine", help="print which engines this lab can have")
    chosen.set_defaults(work=_engine)
    return [export, load, fill, off, forget, joined, chosen]


def _seconds(text: str) -> float:
    found = float(text)
    if not 0 <= found <= 3600:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 3600")
    return found


def _serve_until_ended(arguments: argparse.Namespace) -> None:
    options = Options(
        state=arguments.state,
        seed=arguments.seed,
        port=arguments.port,
        auth_delay_s=arguments.auth_delay,
        engine=arguments.engine,
        images=arguments.images.absolute(),
        limits=limits(
            realistic=arguments.realistic,
            clone_s=arguments.clone_seconds,
            clock=arguments.clock,
        ),
    )
    logging.basicConfig(
        filename=_log_file(arguments.state),
        level=arguments.log_level.upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    if options.engine != "lxc":
        asyncio.run(_serve(options))
        return
    from lab.rootless.way_in import serving  # other engines do without it

    with serving(arguments.state.absolute()):
        asyncio.run(_serve(options))


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


@contextmanager
def _store(state: Path) -> Iterator[Store]:
    """The store of a lab that does not run, for as long as nobody else has it."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with lock_state(state):
        store = Store(state / DATABASE)
        try:
            yield store
        finally:
            store.close()


def _export(arguments: argparse.Namespace) -> None:
    if not (arguments.state / DATABASE).exists():
        raise ArchiveError(f"{arguments.state} holds no lab")
    with _store(arguments.state) as store:
        print(json.dumps({"objects": archive.export(store, arguments.file)}))


def _import(arguments: argparse.Namespace) -> None:
    objects = archive.read(arguments.file)
    with _store(arguments.state) as store:
        absent = archive.load(store, objects, arguments.state)
    print(json.dumps({"objects": len(objects), "withoutFile": absent}))


def _power_off(arguments: argparse.Namespace) -> None:
    with lock_state(arguments.state):
        _end_guests(arguments.state.absolute())


def _end_guests(state: Path) -> None:
    from lab.engines.lxc.engine import power_off  # other verbs do without these
    from lab.rootless.way_in import ending

    with ending(state):
        asyncio.run(power_off(state))


def _forget(arguments: argparse.Namespace) -> None:
    from lab.rootless.way_in import remove  # other verbs do without it

    with lock_state(arguments.state):
        _end_guests(arguments.state.absolute())
        remove(arguments.state.absolute())


def _connect(arguments: argparse.Namespace) -> None:
    from lab.engines.lxc import connect as containers  # other verbs do without them
    from lab.engines.qemu import connect as machines
    from lab.rootless.way_in import go_in

    go_in(arguments.state.absolute())
    where = (arguments.state.absolute(), arguments.vmid, arguments.port)
    if not machines.connect(*where):
        containers.connect(*where)


def _engine(arguments: argparse.Namespace) -> None:
    with _store(arguments.state) as store:
        print(json.dumps(choice.facts(arguments.state.absolute(), store)))


def _fill(arguments: argparse.Namespace) -> None:
    with _store(arguments.state) as store:
        print(json.dumps({"guests": populate(store, arguments.guests)}))


if __name__ == "__main__":
    sys.exit(main())
