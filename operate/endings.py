"""How every verb ends: errors become one message and an exit code, in one place.

Codes: 0 done, 1 somebody can correct it, 130 interrupted, 141 the reader of a pipe has gone. What
is not foreseen keeps its traceback.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from event.problems import PracticumError

INTERRUPTED = 130
PIPE_CLOSED = 141
_ENDS = (signal.SIGTERM, signal.SIGHUP)


def ended(verb: Callable[[], int]) -> int:
    """Run a verb that gives an exit code, and tell in one message why it could not end well."""
    try:
        return verb()
    except PracticumError as error:
        return _told(error)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise
        from operate.places import Places

        where = error.filename or f"below {Places.of(os.environ).state}"
        text = f"{where}: {error.strerror}; free some space and type the same again"
        print(text, file=sys.stderr)
        return 1


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM and SIGHUP are interrupts meanwhile: what was started can be ended as well."""
    heard = [each for each in _ENDS if signal.getsignal(each) != signal.SIG_IGN]  # as by nohup
    before = {number: signal.signal(number, _interrupt) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _told(error: PracticumError) -> int:
    code = getattr(error, "exit_code", None)
    if code is None:  # else a run whose story has been told
        print(error, file=sys.stderr)
    return 1 if code is None else int(code)
