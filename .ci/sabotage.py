#!/usr/bin/env python3
"""Builds the client six times with something wrong in it, and expects `redteam` to find it each time.

    .ci/sabotage.py PLAN

Works on a copy of the last commit; takes some minutes. The tests do the same to a pipeline that is written out anew
(client/tests/redteam.rs); this does it to the node's own.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

RELEASE, GRID = "client/src/release.rs", "shared/privacy/src/grid.rs"
CLIPPED, TASKS = "shared/meta/src/clipped.rs", "client/src/tasks.rs"
SABOTAGE = {
    "nothing": [],
    "noise halved": [(RELEASE, "noise_scale(multiplier, privacy.grid_bits)?", "noise_scale(multiplier, privacy.grid_bits)? / 2")],
    "clip off": [
        (GRID, "let clipped = norm > self.clip.get();", "let clipped = norm > 1e300;"),
        (GRID, "let bound = 1u128 << (2 * self.bits);", "let bound = u128::MAX;"),
    ],
    "clip per batch": [
        (
            CLIPPED,
            "        let sum = batch\n            .par_iter()\n"
            "            .fold(zero, |sum, task| sum.plus(task, judge(task), encoding))\n"
            "            .reduce(zero, ClippedSum::merge);\n",
            "        let judged: Vec<_> = batch.iter().filter_map(judge).collect();\n"
            "        let mut mean = vec![0.0; judged.first().map_or(0, |one| one.gradient.len())];\n"
            "        for one in &judged {\n"
            "            mean.iter_mut().zip(&one.gradient).for_each(|(m, x)| *m += x);\n        }\n"
            "        let mut sum = zero();\n"
            "        encoding.contribute(&mean, None, &mut sum.sum);\n"
            "        sum.sum.iter_mut().for_each(|x| *x *= batch.len() as i64);\n",
        ),
        (CLIPPED, "use rayon::iter::{IntoParallelRefIterator, ParallelIterator};\n", ""),
    ],
    "fixed batches": [
        (
            TASKS,
            "        for entry in &self.entries {\n            if bernoulli(source, rate)? {\n",
            "        let share = (self.entries.len() as f64 * rate.get()) as usize;\n"
            "        let _ = bernoulli(source, rate)?;\n"
            "        for (place, entry) in self.entries.iter().enumerate() {\n            if place < share {\n",
        ),
    ],
    "noise reused": [(RELEASE, "    fill_random(&mut seed)?;\n", "    seed.fill(7);\n")],
    "bound off by the root of d": [
        (GRID, "            sum + value * value\n", "            sum.max(value * value)\n"),
        (GRID, "let bound = 1u128 << (2 * self.bits);", "let bound = u128::MAX;"),
    ],
}


def build_and_attack(tree, target, plan):
    build = ["cargo", "build", "--quiet", "-p", "client", "--bin", "counterfoil-client"]
    # A target of its own: nothing that was sabotaged is ever found among the real programs.
    environment = dict(os.environ, CARGO_TARGET_DIR=str(target), RUSTFLAGS="--cap-lints allow")
    subprocess.run(build, cwd=tree, check=True, env=environment)
    client = target / "debug/counterfoil-client"
    return subprocess.run([client, "redteam", plan], capture_output=True, text=True)


def main():
    plan = pathlib.Path(sys.argv[1]).resolve()
    root = pathlib.Path(__file__).resolve().parent.parent
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        tree = pathlib.Path(folder) / "tree"
        subprocess.run(["git", "clone", "--quiet", root, tree], check=True)
        for name, changes in SABOTAGE.items():
            subprocess.run(["git", "checkout", "--quiet", "."], cwd=tree, check=True)
            for file, old, new in changes:
                text = (tree / file).read_text()
                if old not in text:
                    sys.exit(f"{name}: expected {old!r} in {file}")
                (tree / file).write_text(text.replace(old, new, 1))
            found = build_and_attack(tree, root / "target/sabotage", plan)
            expected = 6 if changes else 0
            verdict = "as expected" if found.returncode == expected else "MISSED"
            print(f"== {name}: exit {found.returncode}, {verdict}\n{found.stdout}{found.stderr}")
            if found.returncode != expected:
                missed.append(name)
    sys.exit(f"missed: {', '.join(missed)}" if missed else 0)


main()
