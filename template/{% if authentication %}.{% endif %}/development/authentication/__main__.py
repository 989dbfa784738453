"""Print a token from the development issuer.

Exit code: 0, or 1 if the issuer does not run.
"""

import argparse
import http.client
import json
import sys
from urllib.parse import urlencode, urlsplit

from development.authentication import ADDRESS


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m development.authentication")
    parser.add_argument("--scope", default="", help="scopes, separated by spaces")
    parser.add_argument("--role", default="", help="roles, separated by spaces")
    parser.add_argument("--subject", default="", help="who calls")
    parser.add_argument("--audience", default="", help="the audience; default: this service")
    try:
        print(ask(urlsplit(ADDRESS.read_text()).netloc, vars(parser.parse_args())))
    except OSError:
        print("The development issuer does not run: start it with `make run`.", file=sys.stderr)
        return 1
    return 0


def ask(address: str, form: dict[str, str]) -> str:
    """Request a token with the client credentials grant (RFC 6749, section 4.4)."""
    connection = http.client.HTTPConnection(address, timeout=5)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    body = urlencode({"grant_type": "client_credentials", **form})
    connection.request("POST", "/token", body, headers)
    token: str = json.load(connection.getresponse())["access_token"]
    connection.close()
    return token


if __name__ == "__main__":
    sys.exit(main())
