# Sourced by the scripts beside it, which it moves to the top of the checkout.
# `environment [EXTRA]` leaves jaxstyle, editable and with that extra, in the virtual environment .venv; it installs
# only when there is none yet, or when pyproject.toml or the checkout's place has changed.

cd "$(dirname "${BASH_SOURCE[0]}")/.."

is_new_enough() {
  "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
  local name
  for name in python3 python3.14 python3.13 python3.12 python3.11 python; do
    if is_new_enough "$name"; then
      echo "$name"
      return
    fi
  done
  echo "No Python 3.11 or newer found (python3 is: $(python3 --version 2>/dev/null || echo missing)). Install one and try again." >&2
  return 1
}

environment() {
  local extra="${1:-}" python wanted stamp
  if ! { is_new_enough .venv/bin/python && .venv/bin/python -m pip --version >/dev/null 2>&1; }; then
    python="$(find_python)" || return 1
    rm -rf .venv
    if ! "$python" -m venv .venv; then
      rm -rf .venv
      echo "$python cannot make virtual environments. On Debian or Ubuntu: apt install python3-venv. Then try again." >&2
      return 1
    fi
  fi
  wanted="$(pwd && cat pyproject.toml)"
  stamp=".venv/installed-${extra:-plain}"
  if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    echo "Installing jaxstyle${extra:+ with its packages for \"$extra\"} into $PWD/.venv ..." >&2
    # Without --no-compile, pip spends a third of the time on modules that nothing imports.
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --editable ".${extra:+[$extra]}" ||
      return 1
    echo "$wanted" >"$stamp"
  fi
}
