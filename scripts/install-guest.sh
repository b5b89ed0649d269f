#!/bin/sh
# Fetches what the guest suite boots: Debian's cloud kernel, a static busybox, and a QEMU 11.1 whose Switch CCI changes state.
#
# Nothing is installed: the packages are fetched and checked by apt-get through a package area of their own, and unpacked
# into a cache folder. The machine's package sources and its installed packages stay as they are, so that this needs
# neither root nor Debian 13. Mirror and signing key are those that the machine's own sources name.
# The QEMU that emulates the device without changing state comes from scripts/install-qemu.sh.
#
# Usage: scripts/install-guest.sh [--again]      --again: fetch anew what is there already
# Folder: $SWITCH_CCI_GUEST_CACHE, or ${XDG_CACHE_HOME:-~/.cache}/switch-cci-broker/guest
set -eu

RELEASE=trixie
BACKPORTS=$RELEASE-backports
KERNEL=linux-image-cloud-amd64
QEMU_WANTED=11.1
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

cache=${SWITCH_CCI_GUEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/switch-cci-broker/guest}
done_file=$cache/complete

say() { printf '%s\n' "install-guest: $*" >&2; }
die() { say "$*"; exit 1; }

[ "${1:-}" = --again ] && rm -f "$done_file"
if [ -e "$done_file" ]; then
  say "already there: $(tr '\n' ' ' <"$done_file")($cache)"
  exit 0
fi

[ "$(uname -m)" = x86_64 ] || die "the guest is an x86-64 machine, and its Node is copied from this one, which is $(uname -m)"
command -v apt-get >/dev/null 2>&1 || die "no apt-get here"
command -v dpkg-deb >/dev/null 2>&1 || die "no dpkg-deb here"
command -v xz >/dev/null 2>&1 || die "no xz here: apt-get install xz-utils"
[ -r "$KEYRING" ] || die "no $KEYRING: apt-get install debian-archive-keyring"

# The first mirror that the machine's own entries name for a Debian release.
mirror() {
  sed -n 's/^URIs:[ \t]*\([^ \t]*\/debian\)\/\{0,1\}[ \t]*$/\1/p; s/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\/debian\)\/\{0,1\} .*/\2/p' \
    /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list /etc/apt/sources.list 2>/dev/null | sed -n 1p
}
uri=$(mirror)
[ -n "$uri" ] || die "no Debian mirror in /etc/apt/sources.list or /etc/apt/sources.list.d"

mkdir -p "$cache"
exec 9>"$cache/.lock"
command -v flock >/dev/null 2>&1 && flock 9
if [ -e "$done_file" ]; then
  say "already there: somebody else fetched it meanwhile"
  exit 0
fi

area=$cache/area
fresh=$cache/fresh
rm -rf "$area" "$fresh"
mkdir -p "$area/lists/partial" "$area/archives/partial" "$area/etc" "$fresh"
trap 'rm -rf "$area" "$fresh"' EXIT
: >"$area/status"
cat >"$area/etc/sources.sources" <<END
Types: deb
URIs: $uri
Suites: $RELEASE $BACKPORTS
Components: main
Signed-By: $KEYRING
END

# apt-get with everything of its own: no status of this machine, none of its sources, pins or hooks. The proxy settings stay.
own_apt() {
  tool=$1
  shift
  "$tool" -q -o "Dir::Etc::sourcelist=/dev/null" -o "Dir::Etc::sourceparts=$area/etc" -o Dir::Etc::preferencesparts=/dev/null \
    -o Dir::Etc::preferences=/dev/null -o "Dir::State::lists=$area/lists" -o "Dir::State::status=$area/status" \
    -o "Dir::State::extended_states=$area/extended" -o "Dir::Cache::archives=$area/archives" -o Dir::Cache::pkgcache= \
    -o Dir::Cache::srcpkgcache= -o APT::Architecture=amd64 -o APT::Architectures=amd64 -o Acquire::Languages=none \
    -o APT::Sandbox::User=root -o APT::Update::Post-Invoke= -o APT::Update::Post-Invoke-Success= \
    -o DPkg::Pre-Install-Pkgs= -o Acquire::Retries=3 -o Debug::NoLocking=true "$@"
}

say "reading the package lists of $RELEASE and $BACKPORTS at $uri"
own_apt apt-get -q update >"$area/log" 2>&1 || { cat "$area/log" >&2; die "the package lists can't be read"; }

# One package by itself, unpacked into a folder.
unpack_one() {
  (cd "$area" && own_apt apt-get download "$1" >>"$area/log" 2>&1) || { tail -n 5 "$area/log" >&2; die "$1 can't be fetched"; }
  dpkg-deb -x "$area"/"${1%%/*}"_*.deb "$2"
}

kernel=$(own_apt apt-cache depends "$KERNEL" | sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | sed -n 1p)
[ -n "$kernel" ] || die "$KERNEL of $RELEASE names no kernel"
say "fetching $kernel"
unpack_one "$kernel" "$fresh/kernel-package"
release=${kernel#linux-image-}
mkdir -p "$fresh/kernel"
cp "$fresh/kernel-package/boot/vmlinuz-$release" "$fresh/kernel/vmlinuz"
modules=$fresh/kernel-package/usr/lib/modules/$release
[ -d "$modules" ] || modules=$fresh/kernel-package/lib/modules/$release
mv "$modules" "$fresh/kernel/modules"
rm -rf "$fresh/kernel-package"

say "fetching busybox-static"
unpack_one busybox-static "$fresh/busybox-package"
busybox=$fresh/busybox-package/usr/bin/busybox
[ -f "$busybox" ] || busybox=$fresh/busybox-package/bin/busybox
cp "$busybox" "$fresh/busybox"
rm -rf "$fresh/busybox-package"

say "fetching QEMU of $BACKPORTS and the libraries it runs with"
own_apt apt-get -y --no-install-recommends --download-only -t "$BACKPORTS" install qemu-system-x86 >>"$area/log" 2>&1 ||
  { tail -n 20 "$area/log" >&2; die "QEMU of $BACKPORTS can't be fetched"; }
for package in "$area"/archives/*.deb; do dpkg-deb -x "$package" "$fresh/qemu"; done
# Only what QEMU runs with: the rest of a Debian is not wanted here.
rm -rf "$fresh/qemu/usr/share/doc" "$fresh/qemu/usr/share/man" "$fresh/qemu/usr/share/locale" "$fresh/qemu/usr/include"

# QEMU by the loader and the libraries of its own release: no chroot, so no root, and nothing of this machine's libraries.
cat >"$fresh/qemu-system" <<'END'
#!/bin/sh
here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)/qemu
lib=$here/usr/lib/x86_64-linux-gnu
export QEMU_MODULE_DIR="$lib/qemu"
exec "$here/usr/lib64/ld-linux-x86-64.so.2" --inhibit-cache --library-path "$lib" "$here/usr/bin/qemu-system-x86_64" \
  -L "$here/usr/share/qemu" -L "$here/usr/share/seabios" "$@"
END
chmod 755 "$fresh/qemu-system"
version=$("$fresh/qemu-system" --version | sed -n '1s/.*version \([0-9.]*\).*/\1/p') || true
case $version in
  "$QEMU_WANTED".*) ;;
  *) die "$BACKPORTS offers QEMU ${version:-that does not run}, and $QEMU_WANTED is wanted" ;;
esac

for part in kernel busybox qemu qemu-system; do
  rm -rf "${cache:?}/$part"
  mv "$fresh/$part" "$cache/$part"
done
printf 'kernel %s\nQEMU %s\n' "$release" "$version" >"$done_file"
say "there now: kernel $release, QEMU $version ($cache)"
