#!/usr/bin/env bash
# Builds what is installed on machines from a checkout: a tarball and, where dpkg-deb is there, a Debian package.
#
#   packaging/build.sh [OUTPUT_DIRECTORY]      # ./dist if not given
#
# Needs npm and the packages of the lock file; no compiler, no root. Two builds of one commit give the same bytes.
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
out=$(mkdir -p "${1:-$top/dist}" && cd "${1:-$top/dist}" && pwd)
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
umask 022

version=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' "$top/package.json")
case $(uname -m) in
  x86_64) node_arch=x64 deb_arch=amd64 ;;
  aarch64) node_arch=arm64 deb_arch=arm64 ;;
  *) echo "no Node is pinned for $(uname -m)" >&2; exit 1 ;;
esac
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$top" log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH

# The program: what git has, the packages it runs with, and the Node of the lock file.
lib=$stage/root/usr/lib/cci-broker
mkdir -p "$lib"
git -C "$top" ls-files -z -- bin src config policies client.js package.json package-lock.json .npmrc LICENSE \
  | tar -C "$top" --null --files-from=- -cf - | tar -C "$lib" -xf -
(cd "$lib" && npm ci --omit=dev --ignore-scripts --no-audit --no-fund --silent)
mv "$lib/node_modules/node-linux-$node_arch/bin/node" "$lib/bin/node"
rm -rf "$lib"/node_modules/node-linux-* "$lib/node_modules/.bin" "$lib/node_modules/.package-lock.json" "$lib/package-lock.json" "$lib/.npmrc"

mkdir -p "$stage/root/usr/bin" "$stage/root/usr/share/doc"
cat > "$stage/root/usr/bin/cci" <<'CCI'
#!/bin/sh
exec /usr/lib/cci-broker/bin/node /usr/lib/cci-broker/bin/cci.js "$@"
CCI
chmod 0755 "$stage/root/usr/bin/cci"
mkdir -p "$stage/root/usr/share/doc/cci-broker"
git -C "$top" ls-files -z -- docs CHANGELOG.md README.md LICENSE \
  | tar -C "$top" --null --files-from=- -cf - | tar -C "$stage/root/usr/share/doc/cci-broker" -xf -
(cd "$stage/root/usr/share/doc/cci-broker" && mv docs/* . && rmdir docs && mv LICENSE copyright)

install -Dm0644 "$top/packaging/systemd/cci-broker.service" "$stage/root/usr/lib/systemd/system/cci-broker.service"
install -Dm0644 "$top/packaging/systemd/cci-broker.sysusers" "$stage/root/usr/lib/sysusers.d/cci-broker.conf"
install -Dm0644 "$top/packaging/systemd/cci-broker.tmpfiles" "$stage/root/usr/lib/tmpfiles.d/cci-broker.conf"
for transport in vfio sysfs chardev; do
  install -Dm0644 "$top/packaging/systemd/$transport.conf" "$stage/root/usr/share/doc/cci-broker/systemd/$transport.conf"
done
install -Dm0644 "$top/packaging/systemd/90-cci-broker.rules" "$stage/root/usr/share/doc/cci-broker/systemd/90-cci-broker.rules"

# What an operator edits. Never taken over from an example as it is: the broker does not start before it was looked at.
etc=$stage/root/etc/cci-broker
mkdir -p "$etc/tls" "$etc/journal"
install -m0644 "$top/config/production.yaml" "$etc/broker.yaml"
install -m0644 "$top/config/fabric.yaml" "$etc/fabric.yaml"
cp -r "$top/policies" "$etc/policies"
install -Dm0644 "$top/packaging/logrotate/cci-broker" "$stage/root/etc/logrotate.d/cci-broker"

find "$stage/root" -type d -exec chmod 0755 {} +
find "$stage/root" -type f ! -perm -0100 -exec chmod 0644 {} +
find "$stage/root" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

tarball=$out/cci-broker-$version-linux-$node_arch.tar.gz
tar -C "$stage/root" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner -cf - . | gzip -9n > "$tarball"
echo "$tarball"

if command -v dpkg-deb > /dev/null; then
  mkdir "$stage/root/DEBIAN"
  size=$(du -sk --apparent-size "$stage/root" | cut -f1)
  sed -e "s/@VERSION@/$version/" -e "s/@ARCH@/$deb_arch/" -e "s/@SIZE@/$size/" "$top/packaging/debian/control" > "$stage/root/DEBIAN/control"
  (cd "$stage/root" && find etc -type f | sort | sed 's#^#/#') > "$stage/root/DEBIAN/conffiles"
  for script in postinst prerm postrm; do install -m0755 "$top/packaging/debian/$script" "$stage/root/DEBIAN/$script"; done
  find "$stage/root/DEBIAN" -exec touch --date="@$SOURCE_DATE_EPOCH" {} +
  package=$out/cci-broker_${version}_$deb_arch.deb
  dpkg-deb --root-owner-group -Zzstd -z9 --build "$stage/root" "$package" > /dev/null
  echo "$package"
fi
