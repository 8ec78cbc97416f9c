"""Without an API token an update ends with one line that says what to type."""

from __future__ import annotations

import pulumi
import pytest

from components.provider import TOKEN_VARIABLE, site_provider
from plan.records import Api
from tests.components.graph import graph

API = Api(endpoint="https://192.0.2.1:8006", insecure=False, ca_file=None, token_file=None)


@pytest.mark.parametrize(
    ("lab", "words"),
    [
        (False, f"set the variable {TOKEN_VARIABLE} to user@realm!name=secret, or type: pulumi"),
        (True, 'type: ./practicum lab start here, and again: eval "$(./practicum env)"'),
    ],
)
def test_without_a_token_the_way_out_is_told(
    monkeypatch: pytest.MonkeyPatch, lab: bool, words: str
) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    with pytest.raises(pulumi.RunError) as told:
        graph(lambda: _provider(lab=lab), stack="here")
    assert f"no API token for {API.endpoint}; {words}" in str(told.value)


def test_the_token_of_the_variable_stays_out_of_the_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "root@pam!t=0")
    [provider] = graph(lambda: _provider(lab=True), stack="here")
    assert "apiToken" not in provider["inputs"]


def _provider(*, lab: bool) -> None:
    site_provider("here", API, lab=lab)
