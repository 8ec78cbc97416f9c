"""QEMU's monitor and key presses: refused as Proxmox VE refuses them.

Guests that nobody boots take every key of QEMU's keyboard; none of them answers the monitor.
"""

from __future__ import annotations

import re
from itertools import chain

from lab.call import Call
from lab.engines import engine_of
from lab.errors import failure, not_implemented
from lab.guests.clone import QEMU
from lab.guests.record import Guest, load
from lab.guests.rights import check_root_only
from lab.routes import handles

# What commands of the monitor ask of those who are not root.
_ROOTS = """
backup block_stream change chardev-add chardev-change chardev-remove client_migrate_info
device_add device_del drive_add drive_backup drive_del drive_mirror dump-guest-memory dumpdtb
gdbserver hostfwd_add hostfwd_remove logfile mce memsave migrate migrate_incoming
migrate_recover nbd_server_add nbd_server_remove nbd_server_start nbd_server_stop netdev_add
netdev_del nmi o object_add object_del pcie_aer_inject_error pmemsave qom-set savevm-end
savevm-start screendump snapshot_blkdev watchdog_action wavcapture xen-event-inject xen-event-
list
"""
_MODIFIERS = """
announce_self backup_cancel balloon block_job_cancel block_job_complete block_job_pause
block_job_resume block_job_set_speed block_resize block_set_io_throttle boot_set c
calc_dirty_rate cancel_vcpu_dirty_limit chardev-send-break closefd commit cont cpu delvm eject
exit_preconfig expire_password getfd gpa2hpa gpa2hva gva2gpa i loadvm log migrate_cancel
migrate_continue migrate_pause migrate_set_capability migrate_set_parameter
migrate_start_postcopy mouse_button mouse_move mouse_set one-insn-per-tb p print q qemu-io
qom-get qom-list quit replay_break replay_delete_break replay_seek ringbuf_read ringbuf_write
s savevm sendkey set_link set_password set_vcpu_dirty_limit snapshot_blkdev_internal
snapshot_delete_blkdev_internal stop stopcapture sum sync-profile system_powerdown
system_reset system_wakeup trace-event x x_colo_lost_heartbeat xp
"""
_FOR_ROOT = frozenset(_ROOTS.split())
_FOR_MODIFIERS = frozenset(_MODIFIERS.split())
_FOR_ALL = frozenset({"?", "help", "info"})
# QEMU's names of keys, without letters, digits and numbered keys.
_NAMES = """
ac_back ac_bookmarks ac_forward ac_home ac_refresh again alt alt_r apostrophe asterisk
audiomute audionext audioplay audioprev audiostop backslash backspace bracket_left
bracket_right calculator caps_lock comma compose computer copy ctrl ctrl_r cut delete dot down
end equal esc find front grave_accent help henkan hiragana home insert katakanahiragana kp_add
kp_comma kp_decimal kp_divide kp_enter kp_equals kp_multiply kp_subtract lang1 lang2 left less
lf mail mediaselect menu meta_l meta_r minus muhenkan num_lock open paste pause pgdn pgup
power print props ret right ro scroll_lock semicolon shift shift_r slash sleep spc stop sysrq
tab undo unmapped up volumedown volumeup wake yen
"""
_KEYS = frozenset(
    chain(
        "abcdefghijklmnopqrstuvwxyz0123456789",
        (f"f{n}" for n in range(1, 25)),
        (f"kp_{n}" for n in range(10)),
        _NAMES.split(),
    )
)
_CODE = re.compile(r"0x[0-9a-fA-F]+")


@handles("PUT", f"{QEMU}/sendkey")
async def press_key(call: Call) -> None:
    """Press keys, joined by hyphens; one cannot do so for a guest that is off."""
    check_root_only(call, "skiplock")
    guest = load(call.lab, call.params["vmid"], call.params["node"])
    _require_none(call, guest)
    for key in call.params["key"].split("-"):
        if key not in _KEYS and not _CODE.fullmatch(key) and key != "<":
            raise failure(f"invalid parameter: {key}")


@handles("POST", f"{QEMU}/monitor")
async def ask_monitor(call: Call) -> str:
    """Give a command to QEMU's monitor."""
    words = call.params["command"].split()
    if not call.params["command"] or not words:
        text = f"unexpected command '{call.params['command']}'"
        raise failure(text if call.params["command"] else "no command specified")
    _require_command(call, words[0])
    guest = load(call.lab, call.params["vmid"], call.params["node"])
    if not guest.running:
        return f"ERROR: VM {guest.vmid} not running\n"
    raise not_implemented(call.method, call.path)


def _require_none(call: Call, guest: Guest) -> None:
    """500 for a guest that is off, 501 for one that really runs."""
    if not guest.running:
        raise failure(f"VM {guest.vmid} not running")
    if engine_of(call.lab).name != "none":
        raise not_implemented(call.method, call.path)


def _require_command(call: Call, name: str) -> None:
    if call.is_root or name in _FOR_ALL:
        return
    if name in _FOR_ROOT:
        raise failure(f"root-only command '{name}'")
    if name not in _FOR_MODIFIERS:
        text = "non-existent or not assigned a required permission yet, limiting to root user"
        raise failure(f"command '{name}' {text}")
    call.lab.rights.require(call.user, "/", ["Sys.Modify"])
