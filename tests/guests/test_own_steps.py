"""Steps of the organiser's own, on guests that really run: scripts and a playbook, and what runs
again when.

The tests of this module are one story and run in order.
"""

from __future__ import annotations

import shutil
from collections import Counter

import pytest

from tests.guests.pair import HEADS, INSTRUCTOR, NODES, Pair
from tests.image.conftest import MISSING, cannot

pytestmark = pytest.mark.guests
MOTD = '#!/bin/sh\necho "$PRACTICUM_GUEST of $PRACTICUM_NODES" >/etc/motd\necho x >>/etc/ran\n'
STEPS = ("level: base", "steps:", "  - {scripts: steps}", "  - {scripts: more, clusters: [c02]}")


def asked(pair: Pair) -> Counter[str]:
    """How often each guest was told to run something."""
    paths = [each["path"] for each in pair.requests() if each["method"] == "POST"]
    return Counter(path.split("/")[-3] for path in paths if path.endswith("/agent/exec"))


def test_scripts_run_with_the_facts_of_their_cluster_where_their_names_say(
    pair: Pair,
) -> None:
    pair.contextualize(*STEPS)
    pair.write("steps/10-motd.sh", MOTD)
    pair.write("steps/20-share.head.sh", '#!/bin/sh\ncp "$PRACTICUM_FACTS" /srv/facts\n')
    pair.write("more/10-more.sh", "#!/bin/sh\necho more >/srv/more\n")
    told = pair.good("up", "laptop")
    assert "own script steps/20-share.head.sh: 2 guests (head) of every cluster" in told.texts
    nodes = "c02-head c02-n1"
    assert pair.on(NODES["c02"], "cat /etc/motd") == f"c02-n1 of {nodes}\n"
    assert pair.on(HEADS["c02"], "cat /etc/motd") == f"c02-head of {nodes}\n"
    assert '"guest": "c01-head"' in pair.on(HEADS["c01"], "cat /srv/facts")
    assert pair.on(NODES["c01"], "test ! -e /srv/facts; test ! -e /srv/more") == ""
    assert pair.on(NODES["c02"], "cat /srv/more") == "more\n"


def test_a_changed_script_runs_again_on_the_clusters_that_it_concerns(pair: Pair) -> None:
    before = asked(pair)
    pair.write("more/10-more.sh", "#!/bin/sh\necho another >/srv/more\n")
    pair.good("up", "laptop")
    assert set(asked(pair) - before) == {HEADS["c02"], NODES["c02"]}
    assert pair.on(NODES["c02"], "cat /srv/more /etc/ran") == "another\nx\n"


def test_a_script_that_fails_is_told_by_guest_and_the_next_up_goes_on_there(
    pair: Pair,
) -> None:
    bad = '#!/bin/sh\ntest "$PRACTICUM_NODE" != n1 || { echo no room here; exit 7; }\n'
    pair.write("more/20-bad.sh", bad)
    told = pair.run("up", "laptop")
    assert told.code == 1
    failed = "\n".join(told.summary["failed"].values())
    assert "c02-n1: more/20-bad.sh: no room here" in failed
    pair.write("more/20-bad.sh", "#!/bin/sh\necho good >/srv/good\n")
    pair.good("up", "laptop")
    assert pair.on(NODES["c02"], "cat /srv/good /etc/ran") == "good\nx\n"


PLAYBOOK = """\
- hosts: nodes_head
  gather_facts: false
  tasks:
    - {name: a file, copy: {dest: /srv/played, content: "{{ practicum.guest }} {{ words }}"}}
    - {name: a line, shell: echo line >>/srv/lines}
    - {name: a copy, fetch: {src: /etc/motd, dest: "{{ playbook_dir }}/.motd", flat: true}}
  vars: {words: WORDS}
"""


def test_a_playbook_is_played_through_the_agents_and_again_once_it_has_changed(
    pair: Pair,
) -> None:
    if shutil.which("ansible-playbook") is None:
        cannot(f"ansible-playbook is {MISSING}: sudo apt install ansible-core")
    pair.contextualize(*STEPS, "  - {playbook: site/main.yml, clusters: [c02]}")
    pair.write("site/main.yml", PLAYBOOK.replace("WORDS", "one"))
    pair.good("up", "laptop")
    assert pair.on(HEADS["c02"], "cat /srv/played /srv/lines") == "c02-head oneline\n"
    assert (pair.stacks / "site/.motd").read_text() == "c02-head of c02-head c02-n1\n"
    assert pair.on(HEADS["c01"], "test ! -e /srv/played") == ""
    pair.write("site/main.yml", PLAYBOOK.replace("WORDS", "two"))
    pair.good("up", "laptop")
    assert pair.on(HEADS["c02"], "cat /srv/played /srv/lines") == "c02-head twoline\nline\n"
    pair.write("site/main.yml", PLAYBOOK.replace("echo line", "echo no room >&2; exit 3"))
    told = pair.run("up", "laptop")
    assert told.code == 1
    assert "c02-head: site/main.yml: a line: " in "\n".join(told.summary["failed"].values())


WATCH = """\
#!/usr/bin/python3
import json, os, socket
with open(os.environ["PRACTICUM_FACTS"]) as file:
    facts = json.load(file)
with open("/srv/seen", "w") as file:
    for each in facts["clusters"]:
        with socket.create_connection((each["headAddress"], 22), 10) as head:
            assert head.getsockname()[0] == each["address"]
        print(each["cluster"], *[node["guest"] for node in each["nodes"]], file=file)
"""


def test_a_script_on_the_instructors_node_reaches_all_clusters_by_its_facts(pair: Pair) -> None:
    node = "    instructor: {image: debian-12, cores: 1, memoryMib: 512}\n"
    pair.contextualize("level: base", "steps:", "  - {scripts: steps}")
    pair.edit("laptop", "    nodeGroups:\n", f"{node}    nodeGroups:\n")
    try:
        pair.write("steps/30-watch.instructor.sh", WATCH)
        told = pair.good("up", "laptop")
        assert "own script steps/30-watch.instructor.sh: the instructors' node" in told.texts
        assert pair.on(INSTRUCTOR, "cat /srv/seen; test ! -e /etc/ran") == (
            "c01 c01-head c01-n1\nc02 c02-head c02-n1\n"
        )
        assert pair.on(HEADS["c01"], "test ! -e /srv/seen; cat /etc/ran") == "x\n"
    finally:
        (pair.stacks / "steps/30-watch.instructor.sh").unlink(missing_ok=True)
        pair.edit("laptop", node, "")
        pair.good("up", "laptop")
