"""Every ε in accountant.csv again, by Google's dp-accounting, beside ours.

    python3 -m venv peer && peer/bin/pip install dp-accounting==0.6.0
    peer/bin/python recompute.py accountant.csv

Only mechanism, parameters, count, δ and task change are used. Ends with 1 if a figure lies outside our bounds by over 0.2 %.
"""

import csv
import functools
import math
import sys

import numpy as np
from dp_accounting import NeighboringRelation
from dp_accounting.pld import privacy_loss_distribution as pld
from scipy.stats import binom, norm

GRID = 1e-4
SLACK = 2e-3


def two_contents(sigma, rate):
    """Two tasks change: Σⱼ Binomial(2, q)(j)·N(±j, σ²), one sign against the other, on bins a thousandth of σ wide.

    dp-accounting has no such mechanism. Bins are post-processing, so this side can only be too small, and by little.
    """
    edges = np.linspace(-2 - 12 * sigma, 2 + 12 * sigma, 24_000 + int(4000 / sigma))
    edges = np.concatenate([[-math.inf], edges, [math.inf]])
    plus = sum(binom.pmf(j, 2, rate) * np.diff(norm.cdf(edges, loc=j, scale=sigma)) for j in range(3))
    with np.errstate(divide="ignore"):
        upper, lower = np.log(plus), np.log(plus[::-1])
    shared = [i for i in range(len(plus)) if upper[i] > -700 and lower[i] > -700]
    return pld.from_two_probability_mass_functions(
        {i: lower[i] for i in shared}, {i: upper[i] for i in shared}, value_discretization_interval=GRID)


@functools.cache
def epsilon(sigma, rate, count, change, delta):
    """ε at δ of `count` releases by Google's accountant."""
    if change == "two-contents":
        one = two_contents(sigma, rate)
    else:
        relation = {"appears": NeighboringRelation.ADD_OR_REMOVE_ONE, "content": NeighboringRelation.REPLACE_ONE}[change]
        one = pld.from_gaussian_mechanism(
            sigma, value_discretization_interval=GRID, sampling_prob=rate, neighboring_relation=relation)
    return one.self_compose(count).get_epsilon_for_delta(delta)


wrong = 0
print(f"{'institution':<12} {'run':<12} {'relation':<12} {'task change':<12} {'δ':<8} {'ours':<20} {'dp-accounting':<14}")
for row in csv.DictReader(open(sys.argv[1], encoding="utf-8")):
    assert row["mechanism"] == "poisson-gaussian", row["mechanism"]
    lower, upper = float(row["epsilon_lower"]), float(row["epsilon_upper"])
    theirs = epsilon(float(row["noise_multiplier"]), float(row["sampling_rate"]), int(row["count"]), row["task_change"], float(row["delta"]))
    agrees = lower * (1 - SLACK) <= theirs <= upper * (1 + SLACK)
    wrong += not agrees
    print(f"{row['institution']:<12} {row['run'][:10]:<12} {row['relation']:<12} {row['task_change']:<12} {row['delta']:<8} "
          f"{lower:.4f} to {upper:.4f}     {theirs:<14.4f}{'' if agrees else ' DIFFERS'}")
sys.exit(1 if wrong else 0)
