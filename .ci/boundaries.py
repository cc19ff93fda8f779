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
# Who may seed a keystream: the node for its noise, and the evaluation for episodes that can be drawn again.
SEEDS = ["client/src/evaluate/draw.rs", "client/src/release.rs"]
# The only way in which the node does.
FRESH_SEED = re.compile(r"let mut seed = Zeroizing::new\(\[0; 32\]\);\s*fill_random\(&mut seed\)\?;\s*Ok\(Keystream::from_seed\(&seed\)\)")
# Where sources of randomness are defined, and what decides which noise is drawn.
STREAMS = "shared/privacy/src/noise"
NOISE = ("client/src/node", "client/src/release", "client/src/keys", "client/src/tasks", "shared/privacy/src/", "shared/meta/src/")
# What could make one build or process behave unlike another.
SWITCHES = re.compile(r"\benv::var|option_env!|cfg!\(|cfg\((?!test\))|cfg_attr")
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


def program(file):
    """The program text of a file: without comments, and without the tests at its end."""
    with open(file, encoding="utf-8") as lines:
        text = lines.read().split("#[cfg(test)]\nmod ")[0]
    return re.sub(r"//.*", "", text)


def sources():
    """The text of every program file of the packages that are shipped; tests and examples are none."""
    listed = subprocess.run(["git", "ls-files", "*/src/*.rs"], check=True, capture_output=True, text=True).stdout.split()
    return {f: program(f) for f in listed if not re.search(r"(^|/)tests?(/|\.rs)", f)}


def manifests():
    """The text of every package's manifest."""
    listed = subprocess.run(["git", "ls-files", "*Cargo.toml"], check=True, capture_output=True, text=True).stdout.split()
    return {f: open(f, encoding="utf-8").read() for f in listed}


def seed_violations(sources, manifests):
    """Every way in which noise could come from anything but a fresh seed of the system."""
    found = []
    seeding = sorted(f for f, text in sources.items() if re.search(r"Keystream::from_seed", text))
    if seeding != SEEDS:
        found.append(f"Keystream::from_seed is called from {SEEDS} alone, not {seeding}")
    node = sources.get(SEEDS[1], "")
    if node.count("from_seed") != 1 or not FRESH_SEED.search(node):
        found.append(f"{SEEDS[1]} seeds its noise once, from the system")
    others = sorted(f for f, text in sources.items() if "RandomSource for" in text and not f.startswith(STREAMS))
    if others:
        found.append(f"a source of randomness is made in {STREAMS} alone, not {others}")
    for file, text in sorted(sources.items()):
        if file.startswith(NOISE) and SWITCHES.search(text):
            found.append(f"{file} must not depend on the environment or on how it was built")
    for file, text in sorted(manifests.items()):
        if re.search(r"^\[features\]", text, re.MULTILINE):
            found.append(f"{file} must not have features: every build is the same")
    return found


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
    fresh = "let mut seed = Zeroizing::new([0; 32]);\n fill_random(&mut seed)?;\n Ok(Keystream::from_seed(&seed))"
    seeded = {SEEDS[0]: "Keystream::from_seed(&seed)", SEEDS[1]: fresh}
    assert seed_violations(seeded, {"client/Cargo.toml": "[dependencies]"}) == []
    assert len(seed_violations({**seeded, "client/src/node.rs": "Keystream::from_seed(&seed)"}, {})) == 1
    assert len(seed_violations({**seeded, SEEDS[1]: fresh.replace("fill_random(&mut seed)?;", "")}, {})) == 1
    assert len(seed_violations({**seeded, SEEDS[1]: fresh + "Keystream::from_seed(&old)"}, {})) == 1
    assert len(seed_violations({**seeded, "client/src/zeros.rs": "impl RandomSource for Zeros {"}, {})) == 1
    assert len(seed_violations({**seeded, "client/src/keys.rs": 'std::env::var("SEED")'}, {})) == 1
    assert len(seed_violations({**seeded, "shared/privacy/src/noise.rs": '#[cfg(feature = "quiet")]'}, {})) == 1
    assert len(seed_violations(seeded, {"client/Cargo.toml": "[features]\nquiet = []"})) == 1


if __name__ == "__main__":
    self_test()
    if sys.argv[1:] != ["--self-test"]:
        broken = violations({p: tree(p) for p in workspace()}, upload_callers())
        broken += seed_violations(sources(), manifests())
        print("\n".join(broken) if broken else "every boundary holds")
        sys.exit(bool(broken))
