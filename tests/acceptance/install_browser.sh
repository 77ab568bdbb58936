#!/usr/bin/env bash
# The browser tests drive Debian's Chromium: install it where that can be done, say so where not.
set -u
command -v chromium >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null && exit 0
fi
echo "Chromium is missing and could not be installed here: the browser tests will skip. (Debian: apt-get install chromium)"
