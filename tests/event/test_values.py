"""Values of more than one part: rows of hosts, ranges, networks, keys, schedules."""

from __future__ import annotations

import unicodedata
from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from event.hosts import MAX_HOSTS, expand_hosts
from event.rule import RefusedError
from event.schedule import parse_schedule
from event.sshkey import parse_public_key
from event.text import plain_line
from event.values import AddressRange, NumberRange, parse_network


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("pve01", ["pve01"]),
        ("pve[01-03]", ["pve01", "pve02", "pve03"]),
        ("pve[01-02,08]", ["pve01", "pve02", "pve08"]),
        ("n[8-11]", ["n8", "n9", "n10", "n11"]),
        ("n[098-101]", ["n098", "n099", "n100", "n101"]),
        ("rack[1-2]-pve", ["rack1-pve", "rack2-pve"]),
    ],
)
def test_a_row_of_hosts_stands_for_its_names_in_order(pattern: str, names: list[str]) -> None:
    assert list(expand_hosts(pattern)) == names


@given(st.text(alphabet="pve0123456789[]-,.x", max_size=30))
def test_any_row_of_hosts_is_refused_or_stands_for_few_enough_names(pattern: str) -> None:
    try:
        names = expand_hosts(pattern)
    except RefusedError:
        return
    assert 1 <= len(names) == len(set(names)) <= MAX_HOSTS


def test_a_range_of_numbers_knows_what_it_holds() -> None:
    numbers = NumberRange(100, 199)
    assert len(numbers) == 100
    assert 199 in numbers
    assert 200 not in numbers
    assert numbers.overlaps(NumberRange(199, 300))
    assert not numbers.overlaps(NumberRange(200, 300))
    assert numbers.covers(NumberRange(100, 150))
    assert str(numbers) == "100-199"


def test_a_range_of_addresses_is_counted_from_its_first() -> None:
    addresses = AddressRange(IPv4Address("192.0.2.10"), IPv4Address("192.0.2.12"))
    assert len(addresses) == 3
    assert addresses[2] == IPv4Address("192.0.2.12")
    with pytest.raises(IndexError):
        addresses[3]


def test_a_single_address_is_a_network_of_one() -> None:
    assert parse_network("192.0.2.10") == IPv4Network("192.0.2.10/32")


@pytest.mark.parametrize(
    "schedule",
    ["sun 01:00", "mon..fri 22:30", "sat,sun 8..17,22:0/15", "*/5", "daily", "*-1..7 15:00"],
)
def test_a_calendar_event_of_proxmox_ve_is_taken(schedule: str) -> None:
    assert parse_schedule(schedule) == schedule


@pytest.mark.parametrize("schedule", ["sun 25:00", "sun 01:61", "Sun 01:00", "on sunday", "", "-1"])
def test_what_is_no_calendar_event_is_refused(schedule: str) -> None:
    with pytest.raises(RefusedError):
        parse_schedule(schedule)


def test_a_private_key_is_refused_without_being_shown() -> None:
    with pytest.raises(RefusedError) as refused:
        parse_public_key("-----BEGIN OPENSSH PRIVATE KEY-----")
    assert refused.value.conceal


@given(st.text(max_size=40))
def test_free_text_that_is_taken_is_one_visible_line_in_normal_form(text: str) -> None:
    try:
        taken = plain_line(text, limit=40, empty=True)
    except RefusedError:
        return
    assert taken == text == unicodedata.normalize("NFC", text)
    assert not {"\n", "\r", "\0", "\u202e", "\u200b"} & set(text)


@pytest.mark.parametrize(
    "title", ["$(reboot)", "`id`", "a; b", "'quoted'", "{{ x }}", "100 %", "--flag", "../up", "🐧"]
)
def test_a_title_may_hold_what_means_something_elsewhere(title: str) -> None:
    assert plain_line(title, limit=80, empty=False) == title
