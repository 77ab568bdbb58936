#!/bin/sh
# What an installed environment can do without: slim.sh FOLDER. The image and benchmarks.sizes call it.
set -eu

# Compiled modules: what a start loads is compiled again in the image, the rest is never imported.
find "$1" -name __pycache__ -prune -exec rm -rf {} +

# Texts of packages in languages that the portal does not speak (LANGUAGES in portal/settings.py).
find "$1" -type d -path '*/locale/*/LC_MESSAGES' ! -path '*/locale/en/*' ! -path '*/locale/de/*' \
    -prune -exec rm -rf {} +

# Headers and C++ tests of torch, for who compiles against it.
find "$1" -type d -path '*/site-packages/torch' -prune | while read -r torch; do
    rm -rf "$torch/include" "$torch/test" "$torch"/bin/test_*
done
