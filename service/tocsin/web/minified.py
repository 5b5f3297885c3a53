"""Scripts as small as they get, by tdewolff-minify; where it is not installed they are served as they are written.

The library is a Go runtime, with threads and signal handlers that have no place in a server's process. So this file is
also the program of a short one of its own, and imports nothing of ours.
"""

import re
import subprocess
import sys
from typing import Final

LONGEST_SECONDS: Final = 20
_STYLE: Final = re.compile(r"(?<=^const STYLE = `).*?(?=`;)", re.MULTILINE | re.DOTALL)


class NotMinified(Exception):
    """Says why."""


def minified(script: str) -> str:
    """Without comments and spaces, and with short names for what no other script can see. Raises NotMinified."""
    # -P: not from a folder that happens to be the current one.
    command = [sys.executable, "-P", __file__]
    try:
        ran = subprocess.run(command, input=script.encode(), capture_output=True, timeout=LONGEST_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotMinified(type(error).__name__) from error
    if ran.returncode or not ran.stdout:
        raise NotMinified(ran.stderr.decode(errors="replace").strip() or f"exit {ran.returncode}")
    return ran.stdout.decode()


def _main() -> None:
    try:
        import minify  # noqa: PLC0415
    except (ImportError, OSError) as error:
        sys.exit(f"{error}")

    def sheet(found: re.Match[str]) -> str:
        return str(minify.string("text/css", found[0]))

    try:
        script = _STYLE.sub(sheet, sys.stdin.buffer.read().decode())
        sys.stdout.buffer.write(minify.string("application/javascript", script).encode())
    except minify.MinifyError as error:
        sys.exit(f"{error}".partition("\n")[0])


if __name__ == "__main__":
    _main()
