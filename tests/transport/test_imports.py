from __future__ import annotations

import subprocess
import sys


def test_nothing_slow_is_imported_before_it_is_used() -> None:
    """The pool comes with the first request, so that a caller with a client of its own is spared it."""
    script = (
        "import sys, kling_lipsync._transport as t;"
        "from kling_lipsync.policies import Timeouts;"
        "t.HttpTransport(timeouts=Timeouts());"
        "print(*{name.partition('.')[0] for name in sys.modules} & {'httpcore', 'httpcore2', 'trio', 'truststore'})"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert done.stdout.split() == []
