"""Three steps of Adam and Yogi over fixed integer sums, in numpy's float64.

Run: python3 outer.py (numpy 2). The output is copied into tests/it/outer.rs.
"""

import numpy as np

CLIP_NORM, GRID_BITS, RATE, TASKS = 0.5, 18, 0.2, 450
LEARNING_RATE, BETA1, BETA2, EPSILON = 0.01, 0.9, 0.99, 1e-3
SUMS = [[1_000_000, -2_000_000, 0], [5_000_000, 300_000, -1], [-700_000, 0, 9_000_000]]


def run(yogi):
    w = np.array([0.5, -0.25, 1.0])
    m, v = np.zeros(3), np.zeros(3)
    power1 = power2 = np.float64(1.0)
    for sums in SUMS:
        g = np.array(sums, dtype=np.float64) * (CLIP_NORM / 2**GRID_BITS) / (RATE * TASKS)
        power1, power2 = power1 * BETA1, power2 * BETA2
        m = BETA1 * m + (1 - BETA1) * g
        square = g * g
        if yogi:
            v = v - (1 - BETA2) * np.sign(v - square) * square
        else:
            v = BETA2 * v + (1 - BETA2) * square
        w = w - LEARNING_RATE * (m / (1 - power1)) / (np.sqrt(v / (1 - power2)) + EPSILON)
    return w


for name, yogi in (("adam", False), ("yogi", True)):
    print(name, [float(x) for x in run(yogi)])
