"""Prints a table: the same events by our auditor's command line and by other accountants, with times. See compare.sh."""

import importlib.util
import json
import math
import statistics
import subprocess
import sys
import time
import types
from pathlib import Path

from dp_accounting import dp_event
from dp_accounting.pld import pld_privacy_accountant
from dp_accounting.pld import privacy_loss_distribution as pld
from dp_accounting.rdp import rdp_privacy_accountant

AUDIT = sys.argv[1]
ROUNDS = 5


def sampled(sigma, rate, count):
    """A Poisson-sampled Gaussian event of our command line."""
    return [{"mechanism": "poisson-gaussian", "noise_multiplier": sigma, "sampling_rate": rate, "count": count}]


def timed(work):
    """The median wall time in milliseconds, and the last result."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        result = work()
        times.append(1e3 * (time.perf_counter() - start))
        if times[0] > 3000:
            break
    return statistics.median(times), result


class Ours:
    """One process that answers a line at a time, so that its start is not counted."""

    def __init__(self):
        self.process = subprocess.Popen([AUDIT, "epsilon", "--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def epsilon(self, events, delta, change="appears"):
        self.process.stdin.write(json.dumps({"events": events, "delta": delta, "change": change}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return answer["epsilon"]["lower"], answer["epsilon"]["upper"]


def google_pld(sigma, rate, count, delta):
    one = pld.from_gaussian_mechanism(sigma, value_discretization_interval=1e-4, sampling_prob=rate)
    return one.self_compose(count).get_epsilon_for_delta(delta)


def google_rdp(sigma, rate, count, delta):
    accountant = rdp_privacy_accountant.RdpAccountant()
    accountant.compose(dp_event.PoissonSampledDpEvent(rate, dp_event.GaussianDpEvent(sigma)), count)
    return accountant.get_epsilon(delta)


def opacus_rdp():
    """Opacus's Rényi accountant, without the package's own start, which needs the training library."""
    found = importlib.util.find_spec("opacus", None)
    place = Path(found.submodule_search_locations[0]) / "accountants" / "analysis" / "rdp.py"
    spec = importlib.util.spec_from_file_location("opacus_rdp", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    orders = [1 + x / 10.0 for x in range(1, 100)] + list(range(12, 64))

    def epsilon(sigma, rate, count, delta):
        curve = module.compute_rdp(q=rate, noise_multiplier=sigma, steps=count, orders=orders)
        return module.get_privacy_spent(orders=orders, rdp=curve, delta=delta)[0]

    return epsilon


def prv(sigma, rate, count, delta):
    from prv_accountant import Accountant

    accountant = Accountant(noise_multiplier=sigma, sampling_probability=rate, delta=delta, max_compositions=count, eps_error=0.01)
    low, estimate, high = accountant.compute_epsilon(num_compositions=count)
    return estimate, low, high


def gaussian_truth(mu, delta):
    """The exact ε of Gaussians of total shift mu: Balle and Wang 2018, theorem 8, in 40 digits."""
    import mpmath

    mpmath.mp.dps = 40
    phi = lambda x: mpmath.erfc(-x / mpmath.sqrt(2)) / 2
    loss = lambda e: phi(mu / 2 - e / mu) - mpmath.e**e * phi(-mu / 2 - e / mu) - delta
    return float(mpmath.findroot(loss, (mu * mu / 2 + mu * math.sqrt(-2 * math.log(delta)) * 0.9, mu * mu / 2 + mu * math.sqrt(-2 * math.log(delta))), solver="anderson"))


def main():
    ours, opacus = Ours(), opacus_rdp()
    print("| σ, q, T, δ | ours | ms | Google PLD | ms | ours ÷ Google, time | Google RDP | ms | Opacus RDP | ms | prv-accountant | ms |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    for sigma, rate, count, delta in [(1, 0.01, 1000, 1e-5), (1, 0.001, 10000, 1e-5), (5, 0.1, 10000, 1e-5), (0.5, 0.01, 1000, 1e-5), (1, 0.01, 100000, 1e-7)]:
        our_ms, (low, high) = timed(lambda: ours.epsilon(sampled(sigma, rate, count), delta))
        pld_ms, by_pld = timed(lambda: google_pld(sigma, rate, count, delta))
        rdp_ms, by_rdp = timed(lambda: google_rdp(sigma, rate, count, delta))
        opacus_ms, by_opacus = timed(lambda: opacus(sigma, rate, count, delta))
        try:
            prv_ms, (estimate, prv_low, prv_high) = timed(lambda: prv(sigma, rate, count, delta))
            by_prv, prv_time = f"{estimate:.4f} in [{prv_low:.4f}, {prv_high:.4f}]", f"{prv_ms:.0f}"
        except Exception as error:  # a peer that gives up is a result
            by_prv, prv_time = f"fails: {type(error).__name__}", "–"
        print(
            f"| {sigma}, {rate}, {count}, {delta:g} | [{low:.4f}, {high:.4f}] | {our_ms:.1f} | {by_pld:.4f} | {pld_ms:.0f} | 1/{pld_ms / our_ms:.0f} "
            f"| {by_rdp:.4f} | {rdp_ms:.0f} | {by_opacus:.4f} | {opacus_ms:.0f} | {by_prv} | {prv_time} |",
            flush=True,
        )
    print("\nMany steps and a small δ: 100,000 Gaussians of total shift 1, where the truth is known. (Ours has a closed form for them.)\n")
    print("| δ | truth | ours | Google PLD, composed |")
    print("|---|---|---|---|")
    for delta in [1e-5, 1e-9, 1e-11, 1e-13]:
        events = [{"mechanism": "gaussian", "noise_multiplier": math.sqrt(1e5), "count": 100000}]
        low, high = ours.epsilon(events, delta)
        google = pld.from_gaussian_mechanism(math.sqrt(1e5), value_discretization_interval=1e-4).self_compose(100000).get_epsilon_for_delta(delta)
        truth = gaussian_truth(1.0, delta)
        print(f"| {delta:g} | {truth:.4f} | [{low:.4f}, {high:.4f}] | {google:.4f}{' below the truth' if google < truth else ''} |", flush=True)
    events = [{"mechanism": "poisson-gaussian", "noise_multiplier": 1 + 0.01 * i, "sampling_rate": 0.005 + 0.00005 * i, "count": 1} for i in range(200)]
    our_ms, (low, high) = timed(lambda: ours.epsilon(events, 1e-5))

    def google_many():
        accountant = pld_privacy_accountant.PLDAccountant()
        for event in events:
            accountant.compose(dp_event.PoissonSampledDpEvent(event["sampling_rate"], dp_event.GaussianDpEvent(event["noise_multiplier"])))
        return accountant.get_epsilon(1e-5)

    google_ms, google = timed(google_many)
    print(f"\n200 distinct steps at δ = 1e-5: ours [{low:.4f}, {high:.4f}] in {our_ms:.0f} ms, Google PLD {google:.4f} in {google_ms:.0f} ms: 1/{google_ms / our_ms:.0f} of the time.")


if __name__ == "__main__":
    main()
