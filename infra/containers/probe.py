"""A health check for containers that have no curl: asks one address, exits 0 where it answers with success."""

import sys
import urllib.error
import urllib.request

TIMEOUT_S = 5


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m infra.containers.probe URL\n")
        return 2
    try:
        with urllib.request.urlopen(arguments[0], timeout=TIMEOUT_S):
            return 0
    except (urllib.error.URLError, OSError, ValueError) as error:
        sys.stderr.write(f"{arguments[0]}: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
