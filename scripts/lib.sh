# shellcheck shell=bash
# Sourced by the other scripts, first thing: starts at the top of the checkout, finds the pinned tools, chooses the
# toolchain for Wasm.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

# Tools live outside the checkout, so that a fresh clone on the same machine finds them.
PORTICO_TOOLS=${PORTICO_TOOLS:-$HOME/.cache/portico/tools}
export PATH="$PORTICO_TOOLS/bin:$PATH"

# fuzz/ and tests/no-imports/ are workspaces of their own; one target folder lets all of them share what they build.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}

# The versions they check are the versions shipped: their lock files follow the root's and are not committed.
for workspace in fuzz tests/no-imports; do
  [ ! -e Cargo.lock ] || cp -u Cargo.lock "$workspace/Cargo.lock"
done

WASM_TARGETS=(wasm32-unknown-unknown wasm32-wasip2)

# has_wasm_std: does the current toolchain have the standard library of both Wasm targets?
has_wasm_std() {
  local target lib
  for target in "${WASM_TARGETS[@]}"; do
    lib=$(rustc --print target-libdir --target "$target" 2>/dev/null) || return 1
    compgen -G "$lib/libstd-*.rlib" >/dev/null || return 1
  done
}

# with_wasm_std COMMAND…: runs it where the Wasm targets are there. That is plain rustup nearly everywhere, and
# the toolchain `debian` where scripts/wasm-std.sh had to build them. Also right for tools that call cargo themselves.
with_wasm_std() {
  if has_wasm_std; then "$@"; else RUSTUP_TOOLCHAIN=debian "$@"; fi
}
