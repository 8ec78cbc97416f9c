"""Where things are kept, with which rights, and which variables override it."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from event.problems import RunError
from operate.places import Places, write_private
from operate.variables import EngineParts, engine_variables, shell_lines


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def parts(tmp_path: Path) -> EngineParts:
    folder = tmp_path / "engine"
    return EngineParts(
        pulumi=folder / "pulumi",
        bin=folder,
        source="built",
        version="3",
        home=tmp_path / "home",
        variables={"PULUMI_IGNORE_AMBIENT_PLUGINS": "true"},
    )


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"PRACTICUM_STATE": "/a/b"}, "/a/b"),
        ({"XDG_STATE_HOME": "/x"}, "/x/practicum"),
        ({"PRACTICUM_STATE": "/a", "XDG_STATE_HOME": "/x"}, "/a"),
        ({"PRACTICUM_STATE": ""}, str(Path.home() / ".local" / "state" / "practicum")),
    ],
)
def test_the_state_folder_follows_the_usual_variables(
    variables: dict[str, str], expected: str
) -> None:
    assert Places.of(variables).state == Path(expected)


def test_all_folders_are_private_and_the_passphrase_stays(places: Places) -> None:
    places.make()
    folders = (places.state, places.pulumi_home, places.backend, places.logs)
    assert {mode(folder) for folder in folders} == {0o700}
    assert mode(places.passphrase) == 0o600
    first = places.passphrase.read_text()
    assert len(first.strip()) >= 40
    places.make()
    assert places.passphrase.read_text() == first


def test_a_state_folder_that_others_could_read_is_closed(places: Places) -> None:
    places.state.mkdir(mode=0o755)
    places.state.chmod(0o755)
    places.make()
    assert mode(places.state) == 0o700


def test_two_starts_at_once_agree_on_one_passphrase(places: Places) -> None:
    seen: list[str] = []

    def start() -> None:
        seen.append(places.make().passphrase.read_text())

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(seen)) == 1
    assert not list(places.state.glob(".*"))


def test_a_state_folder_that_is_a_file_names_the_variable(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(RunError, match="PRACTICUM_STATE=DIR"):
        Places(root=tmp_path, state=tmp_path / "taken" / "state").make()


def test_a_private_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert path.read_text() == "new"
    assert mode(path) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_the_engine_finds_itself_and_the_venv_first(places: Places, parts: EngineParts) -> None:
    added = engine_variables(places, parts, {"PATH": "/usr/bin:/bin"})
    assert added["PATH"] == f"{parts.bin}:{places.venv / 'bin'}:/usr/bin:/bin"
    assert added["VIRTUAL_ENV"] == str(places.venv)
    assert added["PULUMI_HOME"] == str(places.pulumi_home)
    assert added["PULUMI_BACKEND_URL"] == f"file://{places.backend}"
    assert added["PULUMI_CONFIG_PASSPHRASE_FILE"] == str(places.passphrase)
    assert added["PULUMI_IGNORE_AMBIENT_PLUGINS"] == "true"


@pytest.mark.parametrize(
    ("given", "left_out"),
    [
        ({"PULUMI_BACKEND_URL": "s3://states"}, "PULUMI_BACKEND_URL"),
        ({"PULUMI_ACCESS_TOKEN": "pul-x"}, "PULUMI_BACKEND_URL"),
        ({"PULUMI_CONFIG_PASSPHRASE": ""}, "PULUMI_CONFIG_PASSPHRASE_FILE"),
        ({"PULUMI_CONFIG_PASSPHRASE_FILE": "/p"}, "PULUMI_CONFIG_PASSPHRASE_FILE"),
    ],
)
def test_what_the_person_has_set_for_pulumi_holds(
    places: Places, parts: EngineParts, given: dict[str, str], left_out: str
) -> None:
    assert left_out not in engine_variables(places, parts, given)


def test_the_persons_own_pulumi_home_holds(places: Places, parts: EngineParts) -> None:
    assert engine_variables(places, parts, {"PULUMI_HOME": "/own"})["PULUMI_HOME"] == "/own"


def test_a_sites_authority_is_added_to_the_systems(places: Places, parts: EngineParts) -> None:
    added = engine_variables(places, parts, {}, trust=Path("/trust"))
    assert added["SSL_CERT_DIR"] == "/trust:/etc/ssl/certs"


def test_export_lines_quote_and_never_hold_the_token(tmp_path: Path) -> None:
    token = tmp_path / "a token"
    token.write_text("root@pam!x=secret")
    lines = shell_lines({"A": "it's", "PATH": "/a b:/c"}, token_file=token)
    assert lines[0] == """export A='it'"'"'s'"""
    assert lines[1] == "export PATH='/a b:/c'"
    assert lines[2] == f"export PROXMOX_VE_API_TOKEN=\"$(cat '{token}')\""
    assert "secret" not in "".join(lines).replace("PRACTICUM", "")
