#!/usr/bin/env bash
# Remake docs/paper, every experiment of the paper (arXiv 1602.07188) with its pictures and tables:
#     scripts/reproduce_paper [--only NAME ...] [--size N] [--device cpu|cuda|tpu]
# What was computed is kept in build/paper, so that the same command goes on after a stop; without that folder it begins
# anew. The chapter "implementations" needs others besides: .venv/bin/pip install -e '.[bench]' pastiche
set -euo pipefail
source "$(dirname "$0")/environment.sh"
environment paper
PYTHONPATH="$PWD/scripts" exec .venv/bin/python -m paper "$@"
