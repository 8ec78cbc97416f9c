"""Key presses and commands to QEMU's monitor."""

from __future__ import annotations

import pytest

from tests.lab.direct import Api, as_anna, refusal

MONITOR = "q/100/monitor"


@pytest.fixture
def guest(api: Api) -> Api:
    api.create(100, memory="64")
    return api


def test_a_guest_that_is_off_hears_neither_keys_nor_commands(guest: Api) -> None:
    assert refusal(guest, "PUT", "q/100/sendkey", key="ret") == "VM 100 not running"
    assert guest.ask("POST", MONITOR, command="info status") == "ERROR: VM 100 not running\n"


def test_a_guest_that_is_not_there_has_no_monitor(api: Api) -> None:
    text = "Configuration file 'nodes/pve1/qemu-server/100.conf' does not exist"
    assert refusal(api, "PUT", "q/100/sendkey", key="ret") == text
    assert refusal(api, "POST", MONITOR, command="info status") == text


def test_a_running_guest_takes_keys_that_exist(guest: Api) -> None:
    guest.start(100)
    for keys in ("ctrl-alt-delete", "a", "0x1e", "f12"):
        assert guest.ask("PUT", "q/100/sendkey", key=keys) is None
    assert refusal(guest, "PUT", "q/100/sendkey", key="ctrl-x9") == "invalid parameter: x9"


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("device_add e1000", "root-only command 'device_add'"),
        (
            "nosuch",
            "command 'nosuch' non-existent or not assigned a required permission yet, limiting"
            " to root user",
        ),
        ("cont", "Permission check failed (/, Sys.Modify)"),
        (" ", "unexpected command ' '"),
    ],
)
def test_each_command_asks_for_a_right_of_its_own(guest: Api, command: str, text: str) -> None:
    assert refusal(as_anna(guest), "POST", MONITOR, command=command) == text
