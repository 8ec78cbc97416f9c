"""The verbs of practicum and their options.

Each verb imports what it needs when it is called: `plan` reads a file and must not wait for
anything that only `up` uses.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Optional

import typer
import typer.core

from operate.endings import INTERRUPTED, ended
from operate.event_commands import add_event_commands
from operate.lab_faults import faults_app

typer.core.HAS_RICH = False  # importing rich for an error's frame costs more than planning an event


app = typer.Typer(
    name="practicum",
    help="Fleets of tutorial clusters on Proxmox VE, from one stack file.\n\n"
    "STACK is the name of a file in stacks/ (sc09 is stacks/Pulumi.sc09.yaml) or a path.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
lab_app = typer.Typer(
    name="lab",
    help="The lab that stands in for a site: start, stop, status, log, faults, export, import.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(lab_app)
lab_app.add_typer(faults_app)
add_event_commands(app)

Stack = Annotated[str, typer.Argument(metavar="[STACK]", help="Event or site; default: laptop.")]
Site = Annotated[str, typer.Argument(metavar="[STACK]", help="Site or event; default: lab.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Json = Annotated[bool, typer.Option("--json", help="JSON events, one a line.")]
Parallel = Annotated[
    Optional[int],  # noqa: UP045 - typer reads it
    typer.Option("--parallel", "-p", min=1, max=256,
                 help="Operations at once; default: three for each host, at most 16."),
]  # fmt: skip
Refresh = Annotated[bool, typer.Option("--refresh", help="Read everything at the site first.")]


@app.command()
def up(
    stack: Stack = "laptop",
    yes: Yes = False,
    parallel: Parallel = None,
    refresh: Refresh = False,
    json_events: Json = False,
) -> None:
    """Build an event or a site, or bring it in step with its file."""
    from operate import up as verb
    from operate.places import Places
    from operate.progress import telling
    from operate.stacks import load

    places = Places.of(os.environ)
    wishes = verb.Wishes(yes=yes, parallel=parallel, refresh=refresh)
    verb.up(load(stack, places), places, wishes, telling(json_events=json_events))


@app.command()
def preview(stack: Stack = "laptop", parallel: Parallel = None, json_events: Json = False) -> None:
    """Tell what `up` would change; makes no connection to the site."""
    from operate import look_verbs as verbs
    from operate.places import Places
    from operate.progress import telling
    from operate.stacks import load
    from operate.up import Wishes

    places = Places.of(os.environ)
    wishes = Wishes(parallel=parallel)
    verbs.preview(load(stack, places), places, wishes, telling(json_events=json_events))


@app.command()
def refresh(stack: Stack = "laptop", parallel: Parallel = None, json_events: Json = False) -> None:
    """Read everything at the site again, and tell what others have changed."""
    from operate import look_verbs as verbs
    from operate.places import Places
    from operate.progress import telling
    from operate.stacks import load
    from operate.up import Wishes

    places = Places.of(os.environ)
    wishes = Wishes(parallel=parallel)
    verbs.refresh(load(stack, places), places, wishes, telling(json_events=json_events))


@app.command()
def destroy(
    stack: Annotated[str, typer.Argument(metavar="STACK", help="Event or site.")],
    yes: Yes = False,
    parallel: Parallel = None,
    refresh: Refresh = False,
    json_events: Json = False,
) -> None:
    """Remove everything of an event from its site; a site goes when no event is on it."""
    from operate import destroy as verb
    from operate.places import Places
    from operate.progress import telling
    from operate.stacks import load
    from operate.up import Wishes

    places = Places.of(os.environ)
    wishes = Wishes(yes=yes, parallel=parallel, refresh=refresh)
    verb.destroy(load(stack, places), places, wishes, telling(json_events=json_events))


@app.command(
    help="Tell what a stack file means: hosts, VMIDs, VLANs, addresses, capacity. Starts nothing.",
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def plan(context: typer.Context) -> None:
    from operate import plan_line

    raise typer.Exit(plan_line.work(context.args))


@app.command("import-two-files")
def import_two_files(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="clusters.txt, deployment.txt.")],
    on: Annotated[str, typer.Option("--on", metavar="SITE", help="Site of the event.")] = "lab",
    stack: Annotated[str, typer.Option("--stack", help="Name of the new event.")] = "imported",
    title: Annotated[str, typer.Option("--title", help="Title of the event.")] = "",
) -> None:
    """Print the stack file of the event that two files of 2009 describe."""
    from operate import plan_verb

    plan_verb.import_files(folder, on=on, stack=stack, title=title)


@lab_app.command("start")
def lab_start(
    stack: Site = "lab",
    realistic: Annotated[
        bool, typer.Option("--realistic", help="With Proxmox VE's limits on workers and locks.")
    ] = False,
) -> None:
    """Start the lab of a site, unless it runs."""
    from operate import lab_verbs

    lab_verbs.start(stack, realistic=realistic)


@lab_app.command("stop")
def lab_stop(stack: Site = "lab") -> None:
    """Stop the lab; what it holds is kept."""
    from operate import lab_verbs

    lab_verbs.stop(stack)


@lab_app.command("status")
def lab_status(stack: Site = "lab", as_json: Json = False) -> None:
    """Tell whether the lab runs, where it answers and where its state is."""
    from operate import lab_verbs

    lab_verbs.status(stack, as_json=as_json)


@lab_app.command("reset")
def lab_reset(stack: Site = "lab", yes: Yes = False) -> None:
    """Stop the lab and forget all that it holds."""
    from operate import lab_verbs

    lab_verbs.reset(stack, yes=yes)


@lab_app.command("log")
def lab_log(
    stack: Site = "lab",
    lines: Annotated[int, typer.Option("-n", "--lines", min=1, help="Requests to show.")] = 40,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on as they come.")] = False,
) -> None:
    """Show the requests that the lab has answered."""
    from operate import lab_verbs

    lab_verbs.log(stack, lines=lines, follow=follow)


@lab_app.command("export")
def lab_export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Is written anew, mode 0600.")],
    stack: Site = "lab",
) -> None:
    """Write everything that the lab knows as JSON."""
    from operate import lab_archive

    lab_archive.export(stack, file)


@lab_app.command("import")
def lab_import(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Written by lab export.")],
    stack: Site = "lab",
    yes: Yes = False,
) -> None:
    """Put an export in place of everything that the lab knows; it must not run."""
    from operate import lab_archive

    lab_archive.load(stack, file, yes=yes)


@app.command("test")
def run_tests(
    tier: Annotated[str, typer.Argument(metavar="[TIER]", help="One of them; else all.")] = "all",
    option: Annotated[str, typer.Option("--tier", help="The same, as an option.")] = "",
    keyword: Annotated[Optional[str], typer.Option("-k", help="As pytest's -k.")] = None,  # noqa: UP045
    sweep: Annotated[bool, typer.Option("--sweep", help="Every case, no sample: hours.")] = False,
    endpoint: Annotated[str, typer.Option(help="acceptance: https://HOST:8006.")] = "",
    vmids: Annotated[str, typer.Option(help="acceptance: first of 800 free VMIDs.")] = "",
    pool: Annotated[str, typer.Option(help="acceptance: name of a pool to make.")] = "",
    storage: Annotated[str, typer.Option(help="acceptance: storage for disks.")] = "",
    node: Annotated[str, typer.Option(help="acceptance: host to work on.")] = "",
    ca_file: Annotated[str, typer.Option(help="acceptance: who signs the endpoint.")] = "",
) -> None:
    """Run the tests that this machine can run; tells what was skipped and why.

    acceptance runs against any Proxmox VE with PROXMOX_VE_USERNAME and PROXMOX_VE_PASSWORD, or
    PROXMOX_VE_API_TOKEN, and leaves nothing behind.
    """
    from operate.places import Places
    from operate.tiers import TIERS, run_tiers, site_variables

    tier = option or tier
    if tier not in (*TIERS, "all"):
        raise typer.BadParameter(f"{tier} is none of {', '.join(TIERS)}, all")
    os.environ |= site_variables(
        endpoint=endpoint, vmids=vmids, pool=pool, storage=storage, node=node, ca_file=ca_file
    )
    chosen = list(TIERS) if tier == "all" else [tier]
    raise typer.Exit(run_tiers(chosen, keyword, Places.of(os.environ), sweep=sweep))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def bench(context: typer.Context, name: Annotated[str, typer.Argument(metavar="NAME")]) -> None:
    """Run a benchmark: plan, engine, lab, clones, guests, contextualize; options go to it."""
    from operate import engine_verbs

    engine_verbs.bench(name, context.args)


@app.command(
    help="Build the image that guests start from, or list what is built.",
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def image(context: typer.Context) -> None:
    from operate import engine_verbs

    engine_verbs.image(context.args)


@app.command("env")
def env_lines(
    stack: Annotated[Optional[str], typer.Argument(metavar="[STACK]")] = None,  # noqa: UP045
    token: Annotated[
        bool, typer.Option("--token", help="Print the API TOKEN that the site made for the event.")
    ] = False,
) -> None:
    """Print export lines, so that plain pulumi commands work on the same states.

    For an event that its site lists, the token is the event's own.
    """
    from operate import engine_verbs

    if token:
        engine_verbs.token(stack)
    else:
        engine_verbs.env_lines(stack)


@app.command()
def access(
    stack: Annotated[str, typer.Argument(metavar="STACK", help="An event.")],
    cluster: Annotated[Optional[str], typer.Argument(metavar="[CLUSTER]")] = None,  # noqa: UP045
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    write: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--write", metavar="FILE", help="Into a file of mode 0600, not the screen."),
    ] = None,
) -> None:
    """Show the logins of an event WITH THEIR PASSWORDS."""
    from operate import engine_verbs

    engine_verbs.access(stack, cluster, as_json=as_json, write=write)


@app.command()
def traffic(
    stack: Annotated[str, typer.Argument(metavar="STACK", help="An event.")],
    cluster: Annotated[Optional[str], typer.Argument(metavar="[CLUSTER]")] = None,  # noqa: UP045
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Show what clusters sent and received, and what their firewalls dropped."""
    from operate import traffic as verb
    from operate.places import Places
    from operate.progress import telling
    from operate.stacks import load_event

    places = Places.of(os.environ)
    event = load_event(stack, places)
    verb.traffic(event, cluster, places, telling(json_events=False), as_json=as_json)


@app.command()
def unlock(
    stack: Stack = "laptop",
    force: Annotated[bool, typer.Option("--force", help="Even if the run seems alive.")] = False,
) -> None:
    """Release the lock that a dead run has left on a stack."""
    from operate import engine_verbs

    engine_verbs.unlock(stack, force=force)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def pulumi(context: typer.Context) -> None:
    """Run pulumi itself with practicum's variables: practicum pulumi -- stack ls."""
    from operate import engine_verbs

    engine_verbs.pulumi(context.args)


def run(arguments: list[str] | None = None) -> int:
    """Run a verb; its exit code, or 2 for wrong usage."""
    return ended(lambda: _run(arguments))


def _run(arguments: list[str] | None) -> int:
    try:
        code = app(args=arguments, prog_name="practicum", standalone_mode=False)
    except typer.Abort:
        raise KeyboardInterrupt from None
    except Exception as error:
        if not hasattr(error, "exit_code") or not hasattr(error, "show"):
            raise
        error.show()  # wrong usage, in typer's words
        return int(error.exit_code)
    if code == INTERRUPTED:  # what typer makes of an interrupt
        print("interrupted", file=sys.stderr)
    return code if isinstance(code, int) else 0
