"""Where disks of guests can be: not on a file system that no overlay can be laid over."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.engines.lxc.availability import unavailable
from tests.image.conftest import cannot

pytestmark = pytest.mark.guests
ROOT = Path(__file__).resolve().parents[2]
# The folder is seen through an overlay, in a mount namespace that ends with the program.
NESTED = """
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=$1/lower,upperdir=$1/upper,workdir=$1/work" "$1/folder"
exec "$2" -P -c 'if True:
    import sys
    from pathlib import Path
    from lab.engines.lxc.availability import unavailable
    print(unavailable(Path(sys.argv[1])))' "$1/folder/guests"
"""


def test_a_folder_on_an_overlay_is_refused_with_what_to_do_and_left_as_it_was(
    tmp_path: Path,
) -> None:
    if reason := unavailable(tmp_path):
        cannot(reason)
    assert list(tmp_path.iterdir()) == []
    for name in ("lower", "upper", "work", "folder"):
        (tmp_path / name).mkdir()
    command = ["unshare", "--mount", "sh", "-ec", NESTED, "sh", str(tmp_path), sys.executable]
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=variables)
    told = done.stdout.strip()
    assert told.startswith(f"{tmp_path}/folder/guests cannot hold guests' disks")
    assert "of the kind overlay, as containers of Docker have" in told
    assert told.endswith("such as ext4 or xfs: PRACTICUM_STATE=DIR")
    assert list((tmp_path / "upper" / "guests").iterdir()) == []
