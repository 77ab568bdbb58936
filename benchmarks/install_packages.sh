#!/usr/bin/env bash
# What the benchmark needs of Debian: install it where that can be done, say what will fail where not.
set -u
command -v ab >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq apache2-utils >/dev/null && exit 0
fi
echo "ab is missing, and could not be installed here: the part “load” will fail." \
  "(Debian: apt-get install apache2-utils)"
