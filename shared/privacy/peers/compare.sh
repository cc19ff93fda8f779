#!/usr/bin/env bash
# Our certificates beside dp-accounting, Opacus and prv-accountant: same events, same run, one core, medians.
#
#   shared/privacy/peers/compare.sh
#
# Needs Python 3.10 or later, and the package index for the peers. Opacus's accountants are loaded without the training library.
set -euo pipefail
cd "$(dirname "$0")/../../.."
target=${CARGO_TARGET_DIR:-$PWD/target}
peers=$target/privacy-peers
if [ ! -e "$peers/.ready" ]; then
    python3 -m venv "$peers"
    "$peers/bin/pip" install --quiet -r shared/privacy/peers/requirements.txt
    "$peers/bin/pip" install --quiet --no-deps opacus==1.6.0
    touch "$peers/.ready"
fi
cargo build --quiet --release -p audit --bin counterfoil-audit
exec "$peers/bin/python" shared/privacy/peers/compare.py "$target/release/counterfoil-audit"
