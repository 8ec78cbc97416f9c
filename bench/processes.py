"""Runs a program and measures it: wall time, CPU time, peak memory, whole and by process.

CPU time of the whole is what the kernel accounts to the finished process and the children it
waited for. The parts are read from /proc four times a second while it runs, so the last quarter
second of a part can be missing; peak memory is the kernel's own high-water mark of each process.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

SAMPLE_S = 0.25
TICKS = os.sysconf("SC_CLK_TCK")
SHOWN_ERROR = 2000  # characters of a failed program's output


class BenchError(Exception):
    """A measurement is not possible; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """All processes of one name below the program."""

    cpu_s: float
    peak_mib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A program's finished run; `peak_mib` is that of its largest process."""

    wall_s: float
    cpu_s: float
    peak_mib: float
    output: bytes
    parts: Mapping[str, Part] = field(default_factory=dict)


def run(
    command: Sequence[str | Path],
    *,
    folder: Path,
    variables: Mapping[str, str],
    limit_s: float = 600,
    watch: bool = False,
) -> Run:
    """Run to the end; `watch` fills `parts`. Raises `BenchError` on failure or after `limit_s`."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as problems:
        start = time.perf_counter()
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=folder,
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=problems,
            process_group=0,
        )
        watcher = Watcher(process.pid) if watch else None
        usage = _ended(process, limit_s)
        wall_s = time.perf_counter() - start
        parts = watcher.stop() if watcher else {}
        output = _text(out)
        if process.returncode != 0:
            text = (output + _text(problems)).decode(errors="replace").strip()[-SHOWN_ERROR:]
            told = f"stopped after {limit_s:g} s" if wall_s >= limit_s else "failed"
            raise BenchError(f"{Path(command[0]).name} {command[1]} {told}: {text}")
    return Run(
        wall_s=wall_s,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_mib=usage.ru_maxrss / 1024,
        output=output,
        parts=parts,
    )


def _ended(process: subprocess.Popen[bytes], limit_s: float) -> resource.struct_rusage:
    """Wait for the end; what the kernel has accounted to the process and its children."""
    timer = threading.Timer(limit_s, stop, [process.pid])
    timer.start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        stop(process.pid)
        raise
    finally:
        timer.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage


def _text(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def stop(group: int) -> None:
    """End a program with everything that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


class Watcher:
    """Reads CPU time and peak memory of a process and everything below it while it runs."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._seen: dict[int, tuple[str, float, float]] = {}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> dict[str, Part]:
        """The parts by process name: CPU times add up, peaks too, since they run side by side."""
        self._done.set()
        self._thread.join()
        parts: dict[str, Part] = {}
        for name, cpu_s, peak_mib in self._seen.values():
            before = parts.get(name, Part(cpu_s=0, peak_mib=0))
            parts[name] = Part(cpu_s=before.cpu_s + cpu_s, peak_mib=before.peak_mib + peak_mib)
        return parts

    def _watch(self) -> None:
        while not self._done.wait(SAMPLE_S):
            for pid in below(self._pid):
                if (seen := usage_of(pid)) is not None:
                    # A process that ends loses its memory before its CPU time: keep the peak.
                    peak_mib = max(seen[2], self._seen.get(pid, seen)[2])
                    self._seen[pid] = (*seen[:2], peak_mib)


def below(pid: int) -> list[int]:
    """The process and all its descendants that run now."""
    found = [pid]
    for parent in found:
        tasks: list[Path] = []
        with contextlib.suppress(OSError):  # it may end while it is looked at
            tasks = list(Path(f"/proc/{parent}/task").glob("*/children"))
        for children in tasks:
            with contextlib.suppress(OSError):
                found.extend(int(child) for child in children.read_text().split())
    return found


def usage_of(pid: int) -> tuple[str, float, float] | None:
    """Name, CPU seconds and peak memory in MiB of a process; None when it has just ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    name = stat[stat.index("(") + 1 : stat.rindex(")")]
    ticks = stat[stat.rindex(")") + 2 :].split()[11:13]
    peak = next((line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")), "0")
    return name, sum(map(int, ticks)) / TICKS, int(peak) / 1024
