"""Changing options of a guest that is off."""

from __future__ import annotations

import base64
import struct
from urllib.parse import quote

import pytest

from tests.lab.direct import Api, RefusedError

KEY = base64.b64encode(
    struct.pack(">I", 11) + b"ssh-ed25519" + struct.pack(">I", 32) + bytes(range(32))
).decode()


@pytest.fixture
def guest(api: Api) -> Api:
    api.create(100, memory="64")
    return api


@pytest.mark.parametrize(
    ("given", "kept"),
    [("b;a;B", "a;b"), ("A", "a"), ("a,b c", "a;b;c"), ("a;a", "a"), ("", " ")],
)
def test_tags_are_lower_case_sorted_and_without_doubles(guest: Api, given: str, kept: str) -> None:
    guest.put(100, tags=given)
    assert guest.config(100)["tags"] == kept


@pytest.mark.parametrize(
    ("given", "kept"), [("a\n\nb\n\n", "a\n\nb"), ("\n a ", "\n a"), (" ", None), ("", None)]
)
def test_a_description_ends_with_its_last_word(guest: Api, given: str, kept: str | None) -> None:
    guest.put(100, description="before")
    guest.put(100, description=given)
    assert guest.config(100).get("description") == kept


def test_values_are_kept_without_blanks_around_them(guest: Api) -> None:
    guest.put(100, searchdomain=" a.example ")
    assert guest.config(100)["searchdomain"] == "a.example"


def test_tags_keep_case_and_order_when_the_cluster_wants_it(guest: Api) -> None:
    guest.lab.store.put("option", "datacenter", {"tag-style": "case-sensitive=1,ordering=config"})
    guest.put(100, tags="b;a;B;b")
    assert guest.config(100)["tags"] == "b;a;B"


def test_a_password_is_hashed_and_shown_as_asterisks(guest: Api) -> None:
    guest.put(100, cipassword="hunter2")
    assert guest.config(100)["cipassword"] == "**********"
    stored = (guest.lab.store.get("qemu", "100") or {})["config"]["cipassword"]
    assert stored.startswith("$5$")
    assert b"hunter2" not in (guest.state / "lab.db").read_bytes()


def test_a_hashed_password_is_kept_as_it_is(guest: Api) -> None:
    guest.put(100, cipassword="$6$salt$hash")
    assert (guest.lab.store.get("qemu", "100") or {})["config"]["cipassword"] == "$6$salt$hash"


def test_ssh_keys_stay_percent_encoded(guest: Api) -> None:
    encoded = quote(f"ssh-ed25519 {KEY} me@here\n", safe="")
    guest.put(100, sshkeys=encoded)
    assert guest.config(100)["sshkeys"] == encoded


@pytest.mark.parametrize("keys", ["junk", "ssh-rsa%20xx", f"ssh-rsa%20{quote(KEY, safe='')}"])
def test_what_is_no_public_key_is_refused(guest: Api, keys: str) -> None:
    with pytest.raises(RefusedError, match="SSH public key validation error"):
        guest.put(100, sshkeys=keys)


def test_keys_that_are_not_encoded_are_refused(guest: Api) -> None:
    with pytest.raises(RefusedError) as refused:
        guest.put(100, sshkeys="ssh-ed25519 a/b")
    assert refused.value.errors == {
        "sshkeys": "invalid format - invalid urlencoded string: ssh-ed25519 a/b\n"
    }


def test_deleting_what_is_not_set_is_no_error(guest: Api) -> None:
    guest.put(100, delete="net5,net6,scsi9,serial1")


@pytest.mark.parametrize(("name", "where"), [("delete", "delete"), ("revert", "revert")])
def test_an_unknown_option_is_named(guest: Api, name: str, where: str) -> None:
    with pytest.raises(RefusedError) as refused:
        guest.put(100, **{name: "description,nope"})
    assert refused.value.errors == {where: "unknown option 'nope'"}


def test_a_call_without_options_is_refused(guest: Api) -> None:
    with pytest.raises(RefusedError, match="no options specified"):
        guest.put(100)


def test_setting_and_deleting_one_option_at_once_is_refused(guest: Api) -> None:
    with pytest.raises(RefusedError) as refused:
        guest.put(100, cores="2", delete="cores")
    assert "you can't use '-cores' and -delete cores' at the same time" in str(refused.value)


def test_a_stale_digest_is_refused_and_a_fresh_one_is_not(guest: Api) -> None:
    digest = guest.config(100)["digest"]
    guest.put(100, cores="2", digest=digest)
    with pytest.raises(RefusedError, match="checksum mismatch"):
        guest.put(100, cores="3", digest=digest)


def test_a_locked_guest_is_changed_only_by_who_skips_the_lock(guest: Api) -> None:
    guest.put(100, lock="backup")
    with pytest.raises(RefusedError, match=r"VM is locked \(backup\)"):
        guest.put(100, cores="2")
    guest.put(100, delete="lock", skiplock="1")
    guest.put(100, cores="2")


def test_a_protected_disk_stays_and_so_does_the_boot_order(api: Api) -> None:
    api.create(100, scsi0="pool:1", protection="1")
    with pytest.raises(RefusedError, match="can't remove drive 'scsi0' - protection mode enabled"):
        api.put(100, delete="scsi0")
    assert api.config(100)["boot"] == "order=scsi0"


def test_more_balloon_than_memory_is_refused(guest: Api) -> None:
    with pytest.raises(RefusedError, match="balloon value too large"):
        guest.put(100, balloon="65")


def test_options_before_a_fault_stay_pending_as_on_a_real_host(api: Api) -> None:
    api.create(100, ide2="pool:cloudinit")
    with pytest.raises(RefusedError):
        api.put(100, agent="1", ide3="pool:cloudinit")
    shown = {row["key"]: row for row in api.ask("GET", "q/100/pending")}
    assert shown["agent"] == {"key": "agent", "pending": "1"}


def test_the_asynchronous_update_is_a_task(guest: Api) -> None:
    guest.done("POST", "q/100/config", cores="2")
    assert guest.config(100)["cores"] == 2


def test_a_guest_of_another_host_is_not_found(guest: Api) -> None:
    text = "Configuration file 'nodes/pve2/qemu-server/100.conf' does not exist"
    with pytest.raises(RefusedError, match=text):
        guest.ask("PUT", "nodes/pve2/qemu/100/config", cores="2")


def test_an_order_of_devices_replaces_the_older_boot_disk(guest: Api) -> None:
    guest.put(100, scsi0="pool:1", bootdisk="scsi0")
    guest.put(100, boot="order=scsi0")
    assert "bootdisk" not in guest.config(100)


def test_only_for_removal_is_cdrom_another_name_of_the_drive(guest: Api) -> None:
    guest.put(100, ide2="none,media=cdrom")
    guest.start(100)
    guest.put(100, cores="3", delete="cdrom")
    guest.put(100, revert="cdrom")
    rows = {row["key"]: row for row in guest.ask("GET", "q/100/pending")}
    assert rows["ide2"]["delete"] == 1


def test_unlinking_nothing_is_refused(guest: Api) -> None:
    with pytest.raises(RefusedError, match="no options specified"):
        guest.ask("PUT", "q/100/unlink", idlist="")


@pytest.mark.parametrize(
    ("option", "value", "fault"),
    [
        ("cores", "+2", "type check ('integer') failed - got '+2'"),
        ("cpulimit", "1e1", "type check ('number') failed - got '1e1'"),
        ("args", "-S\n-s", "property contains a line feed"),
    ],
)
def test_what_no_line_of_the_file_can_hold_is_refused_when_it_is_written(
    guest: Api, option: str, value: str, fault: str
) -> None:
    text = f"unable to parse value of '{option}' - {fault}"
    with pytest.raises(RefusedError) as refused:
        guest.put(100, **{option: value})
    assert refused.value.message == text
    task = guest.ask("POST", "nodes/pve1/qemu", vmid="101", **{option: value})
    assert task["status"] == f"unable to create VM 101 - {text}"
