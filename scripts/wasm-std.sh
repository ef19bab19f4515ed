#!/usr/bin/env bash
# Gives a Debian machine the Rust standard library for both Wasm targets where rustup may not download it: installs
# Debian's own rustc with its sources, builds std from them into that toolchain's sysroot, and links it into rustup as
# `debian`. Needs root; takes about two minutes. Tried on Debian 12.
#   scripts/wasm-std.sh            builds it
#   scripts/wasm-std.sh --check    says by its exit code whether there is nothing to build
set -euo pipefail

sysroot=/usr/lib/rustlib
# Which compiler std was built by: after an upgrade of rustc it must be built again.
stamp=$sysroot/wasm32-wasip2/built-by

if [ "${1:-}" = --check ]; then
  [ -x /usr/bin/rustc ] && [ "$(cat "$stamp" 2>/dev/null)" = "$(/usr/bin/rustc --version)" ] &&
    rustc +debian --version &>/dev/null
  exit
fi

export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -qq --no-install-recommends rustc-web cargo-web rust-web-src >/dev/null

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work" # apt downloads as a user of its own
mkdir -p "$work/lists/partial"

# wasi-libc for wasm32-wasip2 comes with Debian 13 only; it is architecture-independent, so any release can use it.
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
mirror=$(apt-get indextargets --format "\$(REPO_URI)" 'Created-By: Packages' 'Origin: Debian' "Codename: $codename" | head -1)
echo "deb $mirror trixie main" >"$work/trixie.list"
apt=(apt-get -qq -o "Dir::Etc::SourceList=$work/trixie.list" -o Dir::Etc::SourceParts=/dev/null
  -o "Dir::State::Lists=$work/lists" -o "Dir::Cache::pkgcache=$work/p.bin" -o "Dir::Cache::srcpkgcache=$work/s.bin"
  -o APT::Sandbox::User=root)
"${apt[@]}" update
(cd "$work" && "${apt[@]}" download wasi-libc && dpkg -x wasi-libc_*.deb wasi)
wasi=$work/wasi/usr/lib/wasm32-wasip2

# The linkers come with rustup's toolchain; Debian's sysroot only needs to see them.
host=$(/usr/bin/rustc -vV | sed -n 's/^host: //p')
linkers=$(env -u RUSTUP_TOOLCHAIN rustc --print sysroot)/lib/rustlib/$host/bin
mkdir -p "$sysroot/$host/bin"
for tool in rust-lld gcc-ld wasm-component-ld; do
  ln -sfn "$linkers/$tool" "$sysroot/$host/bin/$tool"
done
rustup toolchain link debian /usr

cargo=(env RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$work/target" /usr/bin/cargo)
"${cargo[@]}" init --quiet --vcs none --lib --name empty "$work/empty"
cd "$work/empty"
for target in wasm32-unknown-unknown wasm32-wasip2; do
  # without the bitcode, a release profile with lto fails: "Can't find section .llvmbc"
  flags="-C embed-bitcode=yes"
  [ "$target" = wasm32-wasip2 ] && flags+=" -L native=$wasi -C link-self-contained=no"
  RUSTFLAGS=$flags "${cargo[@]}" build --quiet --release -Zbuild-std=std,panic_abort,proc_macro --target "$target"
  lib=$sysroot/$target/lib
  rm -rf "$lib"
  mkdir -p "$lib/self-contained"
  cp "$work/target/$target"/release/deps/*.rlib "$lib"
  rm -f "$lib"/libempty-*
done
cp "$wasi"/crt1-command.o "$wasi"/crt1-reactor.o "$wasi"/libc.a "$sysroot/wasm32-wasip2/lib/self-contained"
/usr/bin/rustc --version >"$stamp"
