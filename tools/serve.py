"""Show the built book at http://127.0.0.1:PORT until Ctrl-C."""

import functools
import http.server
import sys
from pathlib import Path

PAGES = Path(__file__).resolve().parent.parent / "_build" / "html"


def main(port: str) -> int:
    """Serve, and return the exit status."""
    if not port.isdecimal() or not 0 < int(port) < 65536:
        print(f"Cannot serve: PORT={port} is no port; give a number up to 65535.", file=sys.stderr)
        return 1
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(PAGES))
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), handler)
    except OSError as error:
        print(
            f"Cannot serve at port {port}: {error.strerror}; name another: make serve PORT=8001",
            file=sys.stderr,
        )
        return 1
    print(f"The book is at http://127.0.0.1:{port} until you press Ctrl-C.", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
