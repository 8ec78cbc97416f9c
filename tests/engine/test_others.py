"""Others change an event's guests: `refresh` says so, `up` repairs, and nothing is made twice.

The tests of this module are one story and run in order.
"""

from __future__ import annotations

import pytest

from tests.engine.ground import done
from tests.engine.practice import Practice

pytestmark = pytest.mark.engine


def place(practice: Practice, name: str) -> str:
    """The path of a guest at the API."""
    guest = next(each for each in practice.guests() if each["name"] == name)
    return f"nodes/{guest['node']}/qemu/{guest['vmid']}"


def test_a_guest_that_moved_is_followed_and_not_made_anew(practice: Practice) -> None:
    practice.good("up", "laptop")
    path = place(practice, "c01-head")  # its firewall rules know the host as well
    other = "pve05" if "pve05" not in path else "pve06"
    done(practice, "POST", f"{path}/migrate", target=other, online="1")
    before = len(practice.writes())
    run = practice.good("up", "laptop")
    assert "on another host at the site: c01-head" in run.texts
    sent = practice.writes()[before:]
    assert not [each for each in sent if each.startswith("DELETE") or each.endswith("/clone")]
    assert practice.good("up", "laptop").changes == {}


def test_guests_that_were_switched_off_or_renamed_are_put_right(
    practice: Practice,
) -> None:
    done(practice, "POST", f"{place(practice, 'c01-n1')}/status/stop")
    practice.api("PUT", f"{place(practice, 'c01-n2')}/config", name="mine")
    run = practice.good("up", "laptop")
    assert "switched off at the site: c01-n1" in run.texts
    assert "renamed at the site: c01-n2" in run.texts
    status = {each["name"]: each["status"] for each in practice.guests() if not each["template"]}
    assert status == dict.fromkeys(("c01-head", "c01-n1", "c01-n2"), "running")


def test_a_guest_that_was_deleted_is_made_again(practice: Practice) -> None:
    path = place(practice, "c01-n2")
    done(practice, "POST", f"{path}/status/stop")
    done(practice, "DELETE", path)
    run = practice.good("up", "laptop")
    assert "gone at the site: c01-n2" in run.texts
    assert run.touched >= {"create c01-n2"}
    assert practice.good("up", "laptop").changes == {}


def test_a_number_that_came_to_somebody_else_is_theirs(practice: Practice) -> None:
    path = place(practice, "c01-n2")
    done(practice, "POST", f"{path}/status/stop")
    done(practice, "DELETE", path)
    node, vmid = path.split("/")[1], path.split("/")[3]
    done(practice, "POST", f"nodes/{node}/qemu", vmid=vmid, name="mail", memory="64")
    foreign = practice.api("GET", f"{path}/config")
    before = practice.writes()
    for verb in ("up", "destroy"):
        run = practice.run(verb, "laptop")
        assert run.code == 1
        assert f"{vmid} (mail on {node})" in run.texts + run.errors
    assert f"{vmid} (mail on {node})" in practice.good("refresh", "laptop").texts
    assert practice.writes() == before
    assert practice.api("GET", f"{path}/config") == foreign
    done(practice, "DELETE", path)


def test_destroy_after_all_of_it_leaves_nothing(practice: Practice) -> None:
    practice.good("destroy", "laptop")
    assert [each for each in practice.marked() if "laptop" in each] == []
