#!/bin/sh
# Fetches the vendored browser files again, at the version named here. Needs npm.
set -eu

HTMX=2.0.11

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

npm pack --silent "htmx.org@$HTMX" --pack-destination "$work" >/dev/null
tar -xzf "$work/htmx.org-$HTMX.tgz" -C "$work"
cp "$work/package/dist/htmx.min.js" "$here/htmx.min.js"
cp "$work/package/LICENSE" "$here/htmx.LICENSE"
echo "htmx $HTMX"
