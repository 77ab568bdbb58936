#!/usr/bin/env bash
# What the tests need of Debian: install it where that can be done, say what will skip where not.
set -u
missing=()
command -v chromium-headless-shell >/dev/null || missing+=(chromium-headless-shell)
command -v tesseract >/dev/null || missing+=(tesseract-ocr)
command -v java >/dev/null || missing+=(default-jre-headless)
[ ${#missing[@]} = 0 ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
    "${missing[@]}" >/dev/null && exit 0
fi
echo "Missing, and could not be installed here: ${missing[*]}. The tests that need them will skip." \
  "(Debian: apt-get install ${missing[*]})"
