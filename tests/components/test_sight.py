"""A look at the cluster: guests with their locks and tags, over TLS, from a lab that is served."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pulumi
import pytest

from components.sight import Sight, SightError, api_token
from lab.realistic import limits
from plan.records import Api
from tests.lab.direct import SEED
from tests.lab.served import ServedLab

pytestmark = pytest.mark.wire


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[ServedLab]:
    served = ServedLab(tmp_path, SEED, limits=limits(realistic=True, clone_s=30))
    yield served
    served.close()


def api(endpoint: str, **changes: str | None) -> Api:
    return Api(endpoint=endpoint, insecure=True, **{"ca_file": None, "token_file": None, **changes})


def sight_of(lab: ServedLab) -> Sight:
    token = lab.client.headers["Authorization"].partition("=")[2]
    return Sight(api(f"https://127.0.0.1:{lab.server.port}"), token)


def test_guests_are_seen_with_their_tags_and_whether_they_are_being_cloned(lab: ServedLab) -> None:
    sight = sight_of(lab)
    assert sight.guests() == {}
    params = {"vmid": "100", "scsi0": "pool:1", "tags": "b;a"}
    lab.finish(lab.call("POST", "nodes/pve1/qemu", **params).ok())
    lab.finish(lab.call("POST", "nodes/pve1/qemu/100/template").ok())
    lab.call("POST", "nodes/pve1/qemu/100/clone", newid="101").ok()
    seen = sight.guests()
    assert (seen[100].locked, seen[100].tags) == (False, frozenset({"a", "b"}))
    assert seen[101].locked


def test_a_cluster_that_is_gone_or_refuses_is_one_error_without_the_token(lab: ServedLab) -> None:
    wrong = Sight(api(f"https://127.0.0.1:{lab.server.port}"), "root@pam!practicum=wrong-one")
    with pytest.raises(SightError) as refused:
        wrong.guests()
    assert "wrong-one" not in str(refused.value)
    sight = sight_of(lab)
    sight.guests()
    lab.stop()
    with pytest.raises(SightError):
        sight.guests()


def test_the_token_is_the_files_else_the_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulumi.runtime.set_all_config({})
    monkeypatch.setenv("PROXMOX_VE_API_TOKEN", "of-the-variable")
    (tmp_path / "token").write_text("of-the-file\n")
    assert api_token(api("https://x", token_file=str(tmp_path / "token"))) == "of-the-file"
    assert api_token(api("https://x")) == "of-the-variable"
    assert api_token(api("https://x", token_file=str(tmp_path / "none"))) == "of-the-variable"
