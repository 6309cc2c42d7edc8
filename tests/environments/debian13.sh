#!/usr/bin/env bash
# Runs a command in Debian 13 with its Mesa, whatever this machine is: deno task test:debian13 [COMMAND...]
# Without a command: the suite of tests/environments/suite.ts.
#
# Needs root, and makes a root folder by debootstrap the first time (a minute, 500 MB). It stays in a folder for temporary
# files, or where DENOFOLD_DEBIAN13 says, for the next runs. This checkout, Deno, its cache and denofold's are mounted
# into it, in a namespace that ends with the command: nothing stays mounted. Where such a root cannot be had, says so in
# the words of a skipped test and ends with code 0.
set -u
cd "$(dirname "$0")/../.." || exit 1
CHECKOUT=$PWD
ROOT=${DENOFOLD_DEBIAN13:-${TMPDIR:-/tmp}/denofold-debian13}
PACKAGES=ca-certificates,mesa-vulkan-drivers,libvulkan1,vulkan-tools,procps,mafft

give_up() {
  printf 'skipped [debian13] this environment\t%s\n0 passed, 0 failed\n' "$1"
  exit 0
}

# Whole and ours: what another user has put there is not run as root.
ours() { [ -O "$ROOT" ] && [ -f "$ROOT/denofold-whole" ]; }
whole() { ours && [ "$(cat "$ROOT/denofold-whole")" = "$PACKAGES" ]; }

make_root() {
  local part
  if ours; then rm -rf --one-file-system "$ROOT"; fi # of other packages
  [ ! -e "$ROOT" ] || give_up "$ROOT is there and is no root of ours (DENOFOLD_DEBIAN13 names another place)"
  part=$(mktemp -d "$ROOT.XXXXXX") || give_up "no folder for it can be made beside $ROOT"
  chmod 755 "$part"
  echo "Making a root of Debian 13 in $ROOT (a minute) ..."
  if ! debootstrap --variant=minbase --include="$PACKAGES" trixie "$part" >"$part.log" 2>&1; then
    tail -n 5 "$part.log"
    rm -rf "$part" "$part.log"
    give_up "debootstrap cannot make it: the mirror may be down"
  fi
  rm -f "$part.log"
  echo "$PACKAGES" >"$part/denofold-whole"
  mv -T "$part" "$ROOT" 2>/dev/null || rm -rf "$part" # another run was quicker
}

[ "$(uname -sm)" = "Linux x86_64" ] || give_up "this is not Linux on x86-64"
[ "$(id -u)" = 0 ] || give_up "only root can make and enter a root folder"
command -v deno >/dev/null || give_up "deno is not on the PATH (deno task puts it there)"
unshare --mount true 2>/dev/null || give_up "mounting is not allowed here"
if ! whole; then
  if ! command -v debootstrap >/dev/null; then
    apt-get install -y -qq --no-install-recommends debootstrap >/dev/null 2>&1 || give_up "debootstrap is not installed"
  fi
  make_root
fi

# What the namespace mounts: the checkout and what lies beside it, at their own paths.
CACHE=${DENOFOLD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/denofold}
DENO_DIR=$(deno info --json | sed -n 's/^ *"denoDir": "\(.*\)",$/\1/p')
DENO=$(deno eval 'console.log(Deno.execPath())')
mkdir -p "$CACHE"
MOUNTS=("$CHECKOUT" "$DENO_DIR" "$CACHE")
SHARED=$(readlink -f "$CHECKOUT/../shared") && [ -d "$SHARED" ] && MOUNTS+=("$SHARED")
[ $# -gt 0 ] || set -- deno run -A tests/environments/suite.ts

export ROOT CHECKOUT DENO DENO_DIR CACHE SHARED
exec unshare --mount --propagation private bash -c '
  set -e
  count=$1; shift
  mount -t proc proc "$ROOT/proc"
  mount --rbind /dev "$ROOT/dev"
  mount -t tmpfs tmpfs "$ROOT/tmp"
  for path in "${@:1:count}"; do
    mkdir -p "$ROOT$path"
    mount --bind "$path" "$ROOT$path"
  done
  shift "$count"
  if [ -d "$SHARED" ] && [ "$SHARED" != "$(dirname "$CHECKOUT")/shared" ]; then
    ln -sfn "$SHARED" "$ROOT$(dirname "$CHECKOUT")/shared"
  fi
  touch "$ROOT/usr/local/bin/deno" "$ROOT/etc/resolv.conf"
  mount --bind "$DENO" "$ROOT/usr/local/bin/deno"
  mount --bind /etc/resolv.conf "$ROOT/etc/resolv.conf"
  exec chroot "$ROOT" /usr/bin/env -i HOME=/root PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    CI="${CI:-}" NO_COLOR=1 DENO_NO_UPDATE_CHECK=1 DENOFOLD_NO_INSTALL="${DENOFOLD_NO_INSTALL:-}" \
    DENO_DIR="$DENO_DIR" DENOFOLD_CACHE="$CACHE" DENOFOLD_REQUIRE="${DENOFOLD_REQUIRE:-}" \
    DENOFOLD_DEVICE="${DENOFOLD_DEVICE:-}" DENOFOLD_WEBGPU="${DENOFOLD_WEBGPU:-}" \
    LP_NATIVE_VECTOR_WIDTH="${LP_NATIVE_VECTOR_WIDTH:-}" \
    bash -c "cd \"\$1\" && shift && exec \"\$@\"" in-root "$CHECKOUT" "$@"
' in-namespace "${#MOUNTS[@]}" "${MOUNTS[@]}" "$@"
