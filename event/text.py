"""Kinds of text in a stack file: names, logins, ids, addresses of services, free text.

Names follow the grammar of what they become (host names, interfaces, storage ids, logins), so that
nothing with a meaning in a shell, a URL or a file path can be one. Free text may be anything that
is visible, on one line and in normal form (NFC); it is never interpreted.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Annotated

from event.characters import named_character
from event.hosts import HOST_PATTERN
from event.rule import RefusedError, Rule
from event.schedule import SCHEDULE
from event.sshkey import SSH_PUBLIC_KEY
from event.weburl import ENDPOINT

BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that turn the direction of writing, so that a text reads as another one."""


def plain_line(text: str, *, limit: int, empty: bool) -> str:
    """The text if it is one visible line in normal form; else `RefusedError` says what it holds."""
    if len(text) > limit:
        raise RefusedError(f"has {len(text)} characters", f"write at most {limit}")
    if not empty and not text.strip():
        raise RefusedError("is empty")
    for character in text:
        if character in BIDI:
            raise RefusedError(
                f"holds the direction mark U+{ord(character):04X}", "leave the mark out"
            )
        if character in "\r\n":
            raise RefusedError("has a line break", "write it on one line")
        if _is_invisible(character):
            raise RefusedError(f"holds {named_character(character)}", "leave it out")
    if not unicodedata.is_normalized("NFC", text):
        raise RefusedError(
            "has accents as characters of their own (not in the normal form NFC)",
            f'write "{unicodedata.normalize("NFC", text)}"',
        )
    return text


def _is_invisible(character: str) -> bool:
    """Controls, formats, surrogates, private use, separators of lines, and noncharacters.

    The joiner of emoji is none; nor are characters that are newer than Python's own tables.
    """
    code = ord(character)
    if code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF:
        return True
    kind = unicodedata.category(character)
    return kind in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} and character != "\u200d"


def _free_text(limit: int, *, empty: bool) -> Rule:
    return Rule(
        allowed=f"one line of text of at most {limit} characters",
        parse=lambda text: plain_line(text, limit=limit, empty=empty),
        example="Linux Cluster Construction",
        max_length=limit,
    )


def _grammar(
    allowed: str, pattern: str, example: str, limit: int, characters: str = "a-z0-9-"
) -> Rule:
    """A rule for texts of at most `limit` characters that match `pattern` wholly.

    `characters` is the class of those that the pattern has anywhere.
    """
    return Rule(
        allowed=f"{allowed}, e.g. {example}",
        parse=_matching(re.compile(pattern), re.compile(f"[^{characters}]"), limit),
        example=example,
        pattern=f"^{pattern}$",
        max_length=limit,
    )


def _matching(
    pattern: re.Pattern[str], foreign: re.Pattern[str], limit: int
) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not text:
            raise RefusedError("is empty")
        if len(text) > limit:
            raise RefusedError(f"has {len(text)} characters", f"write at most {limit}")
        if pattern.fullmatch(text):
            return text
        near = re.sub("[_. ]", "-", text.lower()).rstrip("-")
        hint = f"write {near}" if pattern.fullmatch(near) and "--" not in near else ""
        raise RefusedError(_flaw(text, pattern, foreign), hint)

    return parse


def _flaw(text: str, pattern: re.Pattern[str], foreign: re.Pattern[str]) -> str:
    """What keeps a text from matching a pattern of names."""
    if pattern.fullmatch(text.lower()):
        return "has capital letters"
    if strange := foreign.search(text):
        return f"holds {named_character(strange[0])}"
    if text[0] in "-0123456789":
        return f"starts with a {'hyphen' if text[0] == '-' else 'digit'}"
    if text[-1] in "-0123456789":
        return f"ends in a {'hyphen' if text[-1] == '-' else 'digit'}"
    return "is not allowed"


def _name(what: str, example: str) -> Rule:
    """A rule for names of a kind of thing; all are host names without dots."""
    allowed = f"{what}: lower-case letters, digits and hyphens, a letter first"
    return _grammar(allowed, LABEL, example, 63)


def _cluster_key(text: str) -> str:
    if short := re.fullmatch(r"([a-z][a-z0-9-]*[a-z-]|[a-z])([0-9])", text):
        raise RefusedError("has one digit", f"write {short[1]}0{short[2]}")
    return _CLUSTER_KEY(text)


def _login(text: str) -> str:
    login = _LOGIN(text)
    if login in SYSTEM_LOGINS:
        raise RefusedError("is a login of the system itself", "write another name, e.g. student")
    return login


def _time_zone(text: str) -> str:
    if not re.fullmatch(TIME_ZONE, text) or len(text) > 64:
        raise RefusedError("is no name of a time zone")
    return text


def _volume(text: str) -> str:
    if len(text) > 255:
        raise RefusedError(f"has {len(text)} characters", "write at most 255")
    if not re.fullmatch(VOLUME, text) or ".." in text:
        raise RefusedError("is no volume id")
    return text


def _file_path(text: str) -> str:
    if re.fullmatch(r"\S+@\S+!\S+=\S+", text):
        hint = "write the path of a file that holds it, and make a new token"
        raise RefusedError("is a token itself, not a file", hint, conceal=True)
    plain_line(text, limit=1024, empty=False)
    if text.startswith("-"):
        raise RefusedError("starts with a hyphen", f"write ./{text}" if len(text) < 60 else "")
    return text


# fmt: off
SYSTEM_LOGINS = frozenset(
    (
        "root", "daemon", "bin", "sys", "sync", "games", "man", "lp", "mail", "news", "uucp",
        "proxy", "www-data", "backup", "list", "irc", "_apt", "nobody", "sshd", "messagebus",
        "systemd-network", "systemd-resolve", "systemd-timesync",
    )
)
# fmt: on
"""Logins that Debian has of its own (package base-passwd, and the services of a cloud image)."""

TIME_ZONE = r"[A-Z][A-Za-z0-9]*([/_+-][A-Za-z0-9]+){0,5}"
"""A name of the time zone database (tzdata): Europe/Berlin, America/Port-au-Prince, UTC."""

_FILE_NAME = r"[A-Za-z0-9_][A-Za-z0-9._+-]*"
VOLUME = rf"[A-Za-z][A-Za-z0-9._-]*[A-Za-z0-9]:({_FILE_NAME}/)*{_FILE_NAME}"

LABEL = r"[a-z]([a-z0-9-]*[a-z0-9])?"
"""A host name without dots (RFC 1123), in lower case and starting with a letter."""

_CLUSTER_KEY = _matching(re.compile(r"[a-z][a-z0-9-]*[0-9]{2}"), re.compile("[^a-z0-9-]"), 24)
_LOGIN = _matching(re.compile(r"[a-z_][a-z0-9_-]*"), re.compile("[^a-z0-9_-]"), 32)

Name = Annotated[str, _name("a name", "debian-12")]
StackName = Annotated[str, _name("the stack name of a site", "lab")]
EventName = Annotated[str, _name("the stack name of an event", "sc09")]
ImageName = Annotated[str, _name("the name of an image", "debian-12")]
HostName = Annotated[str, _name("the name of a host", "pve03")]
GroupName = Annotated[str, _name("the name of a node group", "compute")]
NodeName = Annotated[str, _name("the name of a node in its cluster", "n1")]
Prefix = Annotated[
    str,
    _grammar(
        "lower-case letters, digits and hyphens, a letter first and no digit last",
        r"[a-z]([a-z0-9-]*[a-z-])?",
        "c",
        20,
    ),
]
ClusterKey = Annotated[
    str,
    Rule(
        allowed="the name of a cluster, prefix and number, e.g. c07",
        parse=_cluster_key,
        example="c07",
        pattern=r"^[a-z][a-z0-9-]*[0-9]{2}$",
        max_length=24,
    ),
]
InterfaceName = Annotated[
    str,
    _grammar(
        "the name of a network interface: a lower-case letter, then letters, digits or _",
        r"[a-z][a-z0-9_]+(\.[0-9]{1,4})?",
        "vmbr1",
        15,
        "a-z0-9_.",
    ),
]
StorageId = Annotated[
    str,
    _grammar(
        "a storage id of Proxmox VE: a letter, then letters, digits, hyphens, dots or _",
        r"[A-Za-z][A-Za-z0-9._-]*[A-Za-z0-9]",
        "local-lvm",
        63,
        "A-Za-z0-9._-",
    ),
]
UserId = Annotated[
    str,
    _grammar(
        "a login of lower-case letters, digits, dots, hyphens or _, without @pve",
        r"[a-z0-9][a-z0-9._-]*",
        "instructor",
        60,
        "a-z0-9._-",
    ),
]
Email = Annotated[
    str,
    _grammar(
        "a mail address",
        r"[A-Za-z0-9_+~-]+(\.[A-Za-z0-9_+~-]+)*@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*",
        "ada@example.org",
        254,
        "A-Za-z0-9_+~.@-",
    ),
]
LinuxUser = Annotated[
    str,
    Rule(
        allowed="a login of lower-case letters, digits, hyphens or _, e.g. student",
        parse=_login,
        example="student",
        pattern=r"^[a-z_][a-z0-9_-]*$",
        max_length=32,
    ),
]
VolumeId = Annotated[
    str,
    Rule(
        allowed="<storage>:<path>, e.g. shared:import/debian-12.qcow2",
        parse=_volume,
        example="shared:import/debian-12.qcow2",
        pattern=f"^{VOLUME}$",
        max_length=255,
    ),
]
TimeZone = Annotated[
    str,
    Rule(
        allowed="a name of the time zone database, e.g. Europe/Berlin",
        parse=_time_zone,
        example="Europe/Berlin",
        pattern=f"^{TIME_ZONE}$",
        max_length=64,
    ),
]
FilePath = Annotated[
    str,
    Rule(
        allowed="the path of a file, e.g. /etc/practicum/ca.pem",
        parse=_file_path,
        example="/etc/practicum/ca.pem",
        max_length=1024,
    ),
]
Schedule = Annotated[str, SCHEDULE]
Text = Annotated[str, _free_text(200, empty=True)]
Label = Annotated[str, _free_text(80, empty=False)]
HostPattern = Annotated[str, HOST_PATTERN]
SshPublicKey = Annotated[str, SSH_PUBLIC_KEY]
Endpoint = Annotated[str, ENDPOINT]
