"""Prints a token of the issuer that runs beside the service.

Exit code: 0, or 1 when there is no such issuer.
"""

import argparse
import http.client
import json
import sys
from urllib.parse import urlencode, urlsplit

from development.authentication import ADDRESS


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m development.authentication")
    parser.add_argument("--scope", default="", help="what it allows, separated by spaces")
    parser.add_argument("--role", default="", help="what the caller is, separated by spaces")
    parser.add_argument("--subject", default="", help="who calls")
    parser.add_argument("--audience", default="", help="for whom it is, if not for this service")
    try:
        print(ask(urlsplit(ADDRESS.read_text()).netloc, vars(parser.parse_args())))
    except OSError:
        print("No issuer runs beside the service: `make run` starts one.", file=sys.stderr)
        return 1
    return 0


def ask(address: str, form: dict[str, str]) -> str:
    """Return a token, got as from any issuer (RFC 6749, section 4.4)."""
    connection = http.client.HTTPConnection(address, timeout=5)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    body = urlencode({"grant_type": "client_credentials", **form})
    connection.request("POST", "/token", body, headers)
    token: str = json.load(connection.getresponse())["access_token"]
    connection.close()
    return token


if __name__ == "__main__":
    sys.exit(main())
