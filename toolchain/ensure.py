"""Make an engine and its plugins available: from PATH, by download, or compiled."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from . import build, found, home, official, pins, places, progress
from .problems import ToolchainError


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """What a caller needs: prepend `bin` to PATH and add `env` to the environment.

    `source` is where the engine comes from: path, download or built. `plugins` says the
    same of each plugin: download (in the home already, or now) or built.
    """

    source: str
    bin: str
    pulumi: str
    version: str
    home: str
    env: dict[str, str]
    plugins: dict[str, str]

    def as_json(self) -> dict[str, object]:
        """The record as `ensure --json` prints it."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """An engine that can run our program."""

    source: str
    pulumi: Path
    version: str


def ensure(
    home_folder: Path | None = None,
    *,
    only_built: bool = False,
    cache: places.Cache | None = None,
    downloads: official.Official | None = None,
    say: progress.Say = progress.to_stderr,
) -> Ready:
    """Find or make everything; raises ToolchainError when that is impossible here.

    Without a home folder the plugins go to one inside the cache. With `only_built` neither
    PATH nor downloads are considered, so that every machine runs the same plugins.
    """
    cache = cache or places.current()
    downloads = downloads or official.Official(cache=cache, say=say)
    folder = (home_folder or cache.set / "home").absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        engine = _engine(cache, downloads, only_built=only_built, say=say)
        plugins = _plugins(cache, downloads, engine, folder, only_built=only_built, say=say)
    except OSError as problem:
        raise ToolchainError(str(problem)) from problem
    return Ready(
        source=engine.source,
        bin=str(engine.pulumi.parent),
        pulumi=str(engine.pulumi),
        version=engine.version,
        home=str(folder),
        env=_environment(engine, folder),
        plugins=plugins,
    )


def _environment(engine: Engine, folder: Path) -> dict[str, str]:
    env = {
        "PULUMI_HOME": str(folder),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }
    if engine.source != "path":
        # The language host lies beside the engine; a plugin on PATH is somebody else's.
        env["PULUMI_IGNORE_AMBIENT_PLUGINS"] = "true"
    return env


def _engine(
    cache: places.Cache, downloads: official.Official, *, only_built: bool, say: progress.Say
) -> Engine:
    if not only_built:
        verdict = found.on_path(cache)
        if verdict.usable:
            return Engine(source="path", pulumi=Path(verdict.pulumi), version=verdict.version)
        if downloads.has_engine():
            return _downloaded(cache)
    parts = (pins.LANGUAGE_HOST, pins.ENGINE)
    if build.missing(cache, parts):
        if not only_built:
            say(f"{verdict.reason}; trying Pulumi's own download")
            if downloads.fetch_engine():
                return _downloaded(cache)
            say("Pulumi's own download is not reachable; compiling from Go modules")
        build.build(cache, pins.TARGETS, say=say)
    return Engine(source="built", pulumi=cache.bin / "pulumi", version=pins.ENGINE_VERSION)


def _downloaded(cache: places.Cache) -> Engine:
    engine = cache.official_bin / "pulumi"
    return Engine(source="download", pulumi=engine, version=pins.ENGINE_VERSION)


def _plugins(
    cache: places.Cache,
    downloads: official.Official,
    engine: Engine,
    folder: Path,
    *,
    only_built: bool,
    say: progress.Say,
) -> dict[str, str]:
    sources = {}
    for plugin in pins.PLUGINS:
        sources[plugin.name] = "download"
        if not only_built and home.has_downloaded(folder, plugin):
            continue
        built = cache.is_built(plugin.target)
        if not built and not only_built and _fetched(downloads, plugin, engine, folder):
            continue
        if not built:
            build.build(cache, [item.target for item in pins.PLUGINS], say=say)
        if not home.is_current(folder, plugin, cache):
            home.install(folder, plugin, cache)
        sources[plugin.name] = "built"
    return sources


def _fetched(
    downloads: official.Official, plugin: pins.Plugin, engine: Engine, folder: Path
) -> bool:
    return downloads.fetch_plugin(plugin, str(engine.pulumi), folder)
