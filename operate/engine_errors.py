"""What the engine's error texts mean, and what to type: its own words are for its developers."""

from __future__ import annotations

import re

MOST_WORDS = 12
"""Lines of the engine's last words that are told; all of them are in its log."""

_NOISE = re.compile(r"^(error: |warning: |\s+)+", re.MULTILINE)

_MEANINGS: tuple[tuple[str, str], ...] = (
    (
        r"the stack is currently locked by .*?created by (?P<who>\S+) \(pid (?P<pid>\d+)\) "
        r"at (?P<when>\S+)",
        "{stack}: another run is in progress (by {who}, process {pid}, since {when}); wait for "
        "it, or if it is dead type: ./practicum unlock {stack}",
    ),
    (
        r"incorrect passphrase|passphrase must be set|message authentication failed",
        "{stack}: the secrets in its stack file or state were encrypted with another passphrase; "
        "name the right one with PULUMI_CONFIG_PASSPHRASE_FILE=FILE, or for a new event remove "
        "`encryptionsalt` and `practicum:secret` from the stack file",
    ),
    (
        r"no space left on device|disk quota exceeded",
        "no disk space is left for the engine's state or log; free some and type the same again",
    ),
    (
        r"no stack named",
        "{stack}: nothing is deployed; type: ./practicum up {stack}",
    ),
    (
        r"PULUMI_ACCESS_TOKEN must be set|invalid access token|Invalid access token",
        "the Pulumi backend refuses the login; set PULUMI_ACCESS_TOKEN, or unset "
        "PULUMI_BACKEND_URL to keep states on this machine",
    ),
    (
        r"unable to open bucket|could not list bucket|problem logging in",
        "the folder of states cannot be opened; check PULUMI_BACKEND_URL",
    ),
)


NO_QUORUM = (
    "the cluster has lost its quorum, so nothing can be changed and nothing more was begun; bring "
    "its other hosts back (pvecm status)"
)
_NO_QUORUM = re.compile(r"no quorum[!?]|unable to open file '/etc/pve/.*Permission denied")


def is_hopeless(text: str) -> bool:
    """Whether an error of one resource will be that of all others: each would wait for it."""
    return _NO_QUORUM.search(text) is not None


def explain(text: str, stack: str) -> str:
    """One message for the person: known texts in our words, others as the engine says them."""
    known = _known(text, stack)
    return known or _NOISE.sub("", text).strip() or f"{stack}: the engine failed without a word"


def explain_log(log: str, stack: str) -> str:
    """Why the engine gave up, from all of its output."""
    return _known(log, stack) or explain(last_words(log), stack)


def _known(text: str, stack: str) -> str | None:
    for pattern, meaning in _MEANINGS:
        if found := re.search(pattern, text, re.DOTALL):
            return meaning.format(stack=stack, **found.groupdict())
    return None


def last_words(log: str) -> str:
    """Why the engine gave up, from its own output: from the first error on, else the last lines."""
    lines = [line for line in log.splitlines() if line.strip()]
    starts = ("error:", "panic:", "fatal error:")
    first = next((n for n, line in enumerate(lines) if line.startswith(starts)), len(lines) - 3)
    return "\n".join(lines[max(first, 0) :][:MOST_WORDS])


_WRAPPING = (
    r"^error: |^\[ERROR\] ",
    r"(sdk-v2|pf)/provider\w*\.go:\d+: ",
    r"sdk\.helper_schema: ",
    r"\b(creating|updating|deleting|refreshing|reading) urn:\S+: ?",
    r"\d+ errors? occurred:\s*",
    r"^\s*\* ",
    r"All attempts fail: #1: ",
    r": provider=\w+@[\d.]+",
    r'before hook "[\w-]+" failed: ',
)


def provider_text(text: str) -> str:
    """The heart of a resource's error: without the engine's and Terraform's wrapping."""
    text = text.strip()
    for pattern in _WRAPPING:
        text = re.sub(pattern, "", text, flags=re.MULTILINE)
    text = re.sub(r"received an HTTP (\d+) response - Reason: ", r"HTTP \1 ", text)
    lines = dict.fromkeys(line.strip() for line in text.splitlines() if line.strip())
    return " ".join(lines)
