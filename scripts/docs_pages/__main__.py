"""Build or serve the documentation: `scripts/docs --help`."""

import argparse
import sys

from scripts.docs_pages.build import build, serve, write
from scripts.docs_pages.links import LinkError


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/docs", description="Build the documentation into build/site.")
    parser.add_argument("--serve", action="store_true", help="serve it on this machine instead, and follow changes")
    parser.add_argument("--port", type=int, default=8000, help="port of --serve (8000)")
    parser.add_argument("--pages", action="store_true", help="only write the pages to build/docs, without a site")
    arguments = parser.parse_args()
    try:
        if arguments.pages:
            write()
            return 0
        return serve(arguments.port) if arguments.serve else build()
    except LinkError as error:
        print(f"scripts/docs: error: {error}", file=sys.stderr)
        return 1


sys.exit(main())
