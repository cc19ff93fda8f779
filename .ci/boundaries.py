"""Who may depend on whom, checked on the real dependency graph of each package.

`boundaries.py` checks the workspace. `boundaries.py --self-test` shows that each rule fires.
"""

import json
import re
import subprocess
import sys

# Our own crates that each may use; everything else of ours is forbidden.
OURS = {
    "privacy": set(),
    "ledger": set(),
    "round": {"privacy", "ledger"},
    "meta": {"privacy", "ledger", "round"},
    "store": {"ledger"},
    "wire": {"ledger", "round", "privacy"},
    "audit": {"privacy", "ledger", "round"},
    "coordinator": {"privacy", "round", "ledger", "store", "wire", "audit"},
    "client": {"privacy", "ledger", "round", "meta", "store", "wire", "audit"},
}
# Foreign crates that must not be in a package's tree, at any depth.
BANNED = {
    "privacy": {"tokio", "tonic", "candle-core", "rusqlite", "prost"},
    "ledger": {"tokio", "tonic", "candle-core", "rusqlite"},
    "round": {"tokio", "tonic", "candle-core", "rusqlite"},
    "meta": {"tokio", "tonic"},
    "store": {"tokio", "tonic", "candle-core"},
    "wire": {"candle-core", "rusqlite"},
    "audit": {"tokio", "tonic", "candle-core", "rusqlite"},
    "coordinator": {"candle-core"},
}
# The one door out of a bank, and the benchmark of the coordinator, which has no rows.
DOORS = ["client/src/release.rs", "deploy/sandbox/src/bench/members.rs"]
# Banned from every package.
EVERYWHERE = {"aws-lc-rs", "aws-lc-sys", "openssl", "openssl-sys", "native-tls", "cmake"}


def tree(package):
    """Names of all packages that `package` is built from, on every platform."""
    command = ["cargo", "tree", "--package", package, "--edges", "normal,build", "--target", "all",
               "--prefix", "none", "--format", "{p}"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return {line.split()[0] for line in lines if line.strip()} - {package}


def violations(trees, upload_callers):
    """Every rule that the given trees break, as sentences."""
    found = []
    for package, names in sorted(trees.items()):
        if package in OURS:
            for name in sorted((names & set(OURS)) - OURS[package]):
                found.append(f"{package} must not use {name}")
        for name in sorted(names & (BANNED.get(package, set()) | EVERYWHERE)):
            found.append(f"{package} must not have {name} in its tree")
    if upload_callers != DOORS:
        found.append(f"wire's contribute() is called from {DOORS} alone, not {upload_callers}")
    return found


def upload_callers():
    """Files outside `wire` and the tests that send a contribution."""
    listed = subprocess.run(["git", "grep", "-lE", r"\.contribute\(", "--", "client/src", "deploy", "coordinator/src"],
                            capture_output=True, text=True).stdout.split()
    return sorted(f for f in listed if not re.search(r"(^|/)tests?(/|\.rs)", f))


def workspace():
    metadata = subprocess.run(["cargo", "metadata", "--no-deps", "--format-version", "1"],
                              check=True, capture_output=True, text=True).stdout
    return [p["name"] for p in json.loads(metadata)["packages"]]


def self_test():
    clean = {"audit": {"privacy", "ledger", "round", "serde"}, "client": {"meta", "wire"}}
    assert violations(clean, DOORS) == []
    assert violations({"audit": {"tokio"}}, DOORS) == ["audit must not have tokio in its tree"]
    assert violations({"client": {"coordinator"}}, DOORS) == ["client must not use coordinator"]
    assert violations({"sandbox": {"openssl-sys"}}, DOORS) == ["sandbox must not have openssl-sys in its tree"]
    assert len(violations(clean, DOORS + ["client/src/other.rs"])) == 1


if __name__ == "__main__":
    self_test()
    if sys.argv[1:] != ["--self-test"]:
        broken = violations({p: tree(p) for p in workspace()}, upload_callers())
        print("\n".join(broken) if broken else "every boundary holds")
        sys.exit(bool(broken))
