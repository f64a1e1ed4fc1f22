# For the scripts in this folder: changes the working directory to the root of the checkout, and defines `environment`.
# `environment [EXTRA]` makes the virtual environment .venv and installs jaxstyle there, editable, with the given extra.
# `environment EXTRA oldest` makes .venv-oldest, with the oldest versions that pyproject.toml allows.
# Both set VENV, and install again only if pyproject.toml or the path of the checkout has changed.

cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Whether a Python is 3.11 or newer; or, with `oldest`, 3.11.
is_suitable() {
  local newest=99
  [ -z "${2:-}" ] || newest=11
  "$1" -c "import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, $newest))" 2>/dev/null
}

find_python() {
  local name
  for name in python3 python3.14 python3.13 python3.12 python3.11 python; do
    if is_suitable "$name" "$@"; then
      echo "$name"
      return
    fi
  done
  echo "No Python 3.11$([ "${1:-}" ] || echo " or newer") found (python3 is: $(python3 --version 2>/dev/null || echo missing)). Install one and try again." >&2
  return 1
}

# For pip: the oldest version of each package in pyproject.toml, such as `jax==0.8`.
oldest_versions() {
  "$VENV/bin/python" - <<'END'
import re
import tomllib

with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)["project"]
extras = project["optional-dependencies"]
for requirement in project["dependencies"] + sum(map(extras.get, ("test", "convert", "heic", "jxl", "remote")), []):
    if bound := re.fullmatch(r"([\w-]+)(?:\[\w+\])?>=([\w.]+)", requirement):
        print(f"{bound[1]}=={bound[2]}")
END
}

# install_packages CONSTRAINTS REQUIREMENT: into the virtual environment, editable, by uv, which takes half the time of pip;
# but by pip if uv fails, as where only pip's settings name the mirror that packages come from.
install_packages() {
  # Without --no-compile, pip spends a third of the time on compiling modules that are never imported.
  local pip=("$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile)
  if "${pip[@]}" uv 2>/dev/null && UV_HTTP_TIMEOUT=20 UV_HTTP_RETRIES=1 "$VENV/bin/uv" pip install --quiet \
    --python "$VENV/bin/python" --constraint "$1" --editable "$2" 2>/dev/null; then
    return
  fi
  "${pip[@]}" --constraint "$1" --editable "$2"
}

environment() {
  local extra="${1:-}" oldest="${2:-}" python expected stamp
  VENV=".venv${oldest:+-oldest}"
  if ! { is_suitable "$VENV/bin/python" "$oldest" && "$VENV/bin/python" -m pip --version >/dev/null 2>&1; }; then
    python="$(find_python $oldest)" || return 1
    rm -rf "$VENV"
    if ! "$python" -m venv "$VENV"; then
      rm -rf "$VENV"
      echo "$python cannot create virtual environments. On Debian or Ubuntu, run: apt install python3-venv. Then try again." >&2
      return 1
    fi
  fi
  expected="$(pwd && cat pyproject.toml)"
  stamp="$VENV/installed-${extra:-plain}"
  if [ "$(cat "$stamp" 2>/dev/null)" != "$expected" ]; then
    echo "Installing jaxstyle${extra:+ with the extra \"$extra\"} into $PWD/$VENV ..." >&2
    : >"$VENV/constraints"
    [ -z "$oldest" ] || oldest_versions >"$VENV/constraints"
    install_packages "$VENV/constraints" ".${extra:+[$extra]}" || return 1
    echo "$expected" >"$stamp"
  fi
}
