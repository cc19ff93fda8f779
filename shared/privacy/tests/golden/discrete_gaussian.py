"""Prints discrete_gaussian.json: P(k) = e^(-k^2/2s^2) / sum of it over the integers, by mpmath in 50 digits."""

import json

import mpmath

mpmath.mp.dps = 50


def probabilities(scale, reach):
    weight = lambda k: mpmath.e ** (-mpmath.mpf(k) ** 2 / (2 * mpmath.mpf(scale) ** 2))
    total = 1 + 2 * sum(weight(k) for k in range(1, 40 * scale))
    return [mpmath.nstr(weight(k) / total, 22) for k in range(reach + 1)]


records = [{"scale": s, "probabilities": probabilities(s, reach)} for s, reach in [(1, 4), (2, 8), (3, 12), (10, 40)]]
print(json.dumps({"source": "mpmath, 50 digits; P(k) for k = 0, 1, ...; P(-k) = P(k)", "records": records}, indent=1))
