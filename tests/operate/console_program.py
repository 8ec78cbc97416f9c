"""What `practicum console` runs once it knows the guest, as a program on a terminal of a test.

Arguments: endpoint, file with the token, file with the authority, host, VMID.
"""

from __future__ import annotations

import sys
from pathlib import Path

from event.problems import RunError
from operate.api import Api
from operate.console import look

if __name__ == "__main__":
    endpoint, token, authority, host, vmid = sys.argv[1:]
    api = Api(endpoint, Path(token).read_text().strip(), ca_file=Path(authority))
    try:
        sys.exit(look(api, host, int(vmid), "c07-n1"))
    except RunError as error:
        print(error, file=sys.stderr)
        sys.exit(3)
