# For the scripts in this folder: changes the working directory to the root of the checkout, and defines `environment`.
# `environment [EXTRA]` makes the virtual environment .venv and installs jaxstyle there, editable, with the given extra.
# It installs again only if pyproject.toml or the path of the checkout has changed.

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
  local extra="${1:-}" python expected stamp
  if ! { is_new_enough .venv/bin/python && .venv/bin/python -m pip --version >/dev/null 2>&1; }; then
    python="$(find_python)" || return 1
    rm -rf .venv
    if ! "$python" -m venv .venv; then
      rm -rf .venv
      echo "$python cannot create virtual environments. On Debian or Ubuntu, run: apt install python3-venv. Then try again." >&2
      return 1
    fi
  fi
  expected="$(pwd && cat pyproject.toml)"
  stamp=".venv/installed-${extra:-plain}"
  if [ "$(cat "$stamp" 2>/dev/null)" != "$expected" ]; then
    echo "Installing jaxstyle${extra:+ with the extra \"$extra\"} into $PWD/.venv ..." >&2
    # Without --no-compile, pip spends a third of the time on compiling modules that are never imported.
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --editable ".${extra:+[$extra]}" ||
      return 1
    echo "$expected" >"$stamp"
  fi
}
