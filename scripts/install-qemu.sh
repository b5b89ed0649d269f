#!/bin/sh
# Installs a QEMU that emulates the Switch CCI (device cxl-switch-mailbox-cci, QEMU 10 or newer) on Debian.
#
# Does nothing when such a QEMU is already there. When the release itself carries only an older one, the backports
# suite is added, on the mirror (and with the signing key) that the machine's own package sources already name.
# Needs root, or sudo. Usage: scripts/install-qemu.sh
set -eu

WANTED_MAJOR=10
BINARY=qemu-system-x86_64
PACKAGE=qemu-system-x86
SOURCES_DIR=/etc/apt/sources.list.d
OWN_ENTRY=$SOURCES_DIR/switch-cci-backports

say() { printf '%s\n' "install-qemu: $*" >&2; }
die() { say "$*"; exit 1; }

qemu_is_there() {
  command -v "$BINARY" >/dev/null 2>&1 || return 1
  major=$("$BINARY" --version 2>/dev/null | sed -n '1s/.*version \([0-9][0-9]*\)\..*/\1/p')
  [ -n "$major" ] && [ "$major" -ge "$WANTED_MAJOR" ] || return 1
  "$BINARY" -device help 2>/dev/null | grep -q '"cxl-switch-mailbox-cci"'
}

if qemu_is_there; then
  say "already there: $("$BINARY" --version | sed -n 1p)"
  exit 0
fi

command -v apt-get >/dev/null 2>&1 || die "no apt-get here: install QEMU $WANTED_MAJOR or newer by other means"
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null 2>&1 || die "needs root"
  exec sudo -- "$0" "$@"
fi

codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
[ -n "$codename" ] || die "/etc/os-release names no release"
suite=$codename-backports

# The major version that apt would install, from the given suite or by default; nothing when there is none.
candidate_major() {
  apt-cache policy ${1:+-t "$1"} "$PACKAGE" | sed -n 's/^  Candidate: \([0-9]*:\)\{0,1\}\([0-9][0-9]*\)\..*/\2/p'
}
new_enough() { [ -n "$1" ] && [ "$1" -ge "$WANTED_MAJOR" ]; }

# Writes the backports entry beside the entry that serves the release itself: same mirror, same key, another suite.
add_backports() {
  if [ -r "$SOURCES_DIR/debian.sources" ]; then
    awk -v release="$codename" -v suite="$suite" '
      BEGIN { RS = ""; FS = "\n" }
      !done {
        serves = 0
        for (i = 1; i <= NF; i++) {
          if ($i !~ /^Suites:/) continue
          n = split(substr($i, 8), names, /[ \t]+/)
          for (j = 1; j <= n; j++) if (names[j] == release) serves = 1
        }
        if (!serves) next
        for (i = 1; i <= NF; i++) print ($i ~ /^Suites:/) ? "Suites: " suite : $i
        done = 1
      }' "$SOURCES_DIR/debian.sources" >"$OWN_ENTRY.sources"
    [ -s "$OWN_ENTRY.sources" ] && return 0
    rm -f "$OWN_ENTRY.sources"
  fi
  if [ -r /etc/apt/sources.list ]; then
    sed -n "s/^\(deb .*[^ ]  *\)$codename  *\(main.*\)\$/\1$suite \2/p" /etc/apt/sources.list | sed -n 1p >"$OWN_ENTRY.list"
    [ -s "$OWN_ENTRY.list" ] && return 0
    rm -f "$OWN_ENTRY.list"
  fi
  die "no package source entry for $codename to derive $suite from"
}

export DEBIAN_FRONTEND=noninteractive
[ -n "$(candidate_major)" ] || apt-get update -qq
if new_enough "$(candidate_major)"; then
  apt-get install -y -qq --no-install-recommends "$PACKAGE" >&2
else
  if ! new_enough "$(candidate_major "$suite" 2>/dev/null)"; then
    grep -qsr "$suite" /etc/apt/sources.list "$SOURCES_DIR" --include='*.list' --include='*.sources' || add_backports
    apt-get update -qq
  fi
  new_enough "$(candidate_major "$suite")" || die "$suite offers no $PACKAGE $WANTED_MAJOR or newer"
  apt-get install -y -qq --no-install-recommends -t "$suite" "$PACKAGE" >&2
fi

qemu_is_there || die "installed, but $BINARY is still too old or lacks the device cxl-switch-mailbox-cci"
say "installed: $("$BINARY" --version | sed -n 1p)"
