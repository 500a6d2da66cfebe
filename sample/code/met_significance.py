# SPDX-License-Identifier: Apache-2.0
"""Missing-ET significance from a list of objects, to cross-check Compass.

    python met_significance.py event.json

The covariance of each object is given along and across its direction, turned
into the x-y frame, and summed; see the documentation page "How missing-ET
significance is calculated". Momenta in GeV.
"""

import json
import math
import sys

#: Resolution of the track soft term in each direction (GeV). It was 10.0 for release v2.
SOFT_SIGMA = 8.9

#: Noise, stochastic and constant term of the jet resolution (JES-2026-R1).
JET_N, JET_S, JET_C = 4.4, 0.74, 0.035

#: Jets below this pT may be pile-up; their probability enters the covariance.
PILEUP_PT_MAX = 60.0


def jet_sigma(pt):
    """Relative resolution of a jet: N/pT (+) S/sqrt(pT) (+) C."""
    return math.sqrt((JET_N / pt) ** 2 + JET_S**2 / pt + JET_C**2)


def object_sigmas(obj):
    """Resolution along and across the object, in GeV."""
    pt = obj["pt"]
    if obj["kind"] == "jet":
        along = jet_sigma(pt) * pt
        if pt < PILEUP_PT_MAX:
            along = math.sqrt(along**2 + obj.get("p_pileup", 0.0) * pt**2)
        return along, (0.07 if pt < 50.0 else 0.04) * pt
    if obj["kind"] == "muon":
        return obj["sigma"] * pt, 0.001 * pt
    if obj["kind"] in ("electron", "photon"):
        return obj["sigma"] * pt, 0.004 * pt
    raise ValueError(f"no resolution for {obj['kind']}")


def covariance(objects):
    """Sum of the turned matrices and of the soft term: (xx, xy, yy)."""
    xx = yy = SOFT_SIGMA**2
    xy = 0.0
    for obj in objects:
        along, across = object_sigmas(obj)
        c, s = math.cos(obj["phi"]), math.sin(obj["phi"])
        xx += (along * c) ** 2 + (across * s) ** 2
        yy += (along * s) ** 2 + (across * c) ** 2
        xy += (along**2 - across**2) * c * s
    return xx, xy, yy


def significance(met, phi, objects):
    """|E|^2 / (sigma_L^2 (1 - rho^2)); 0 for a matrix that cannot be inverted."""
    xx, xy, yy = covariance(objects)
    c, s = math.cos(phi), math.sin(phi)
    ll = xx * c * c + 2.0 * xy * c * s + yy * s * s
    tt = xx * s * s - 2.0 * xy * c * s + yy * c * c
    lt = (yy - xx) * c * s + xy * (c * c - s * s)
    rho2 = lt * lt / (ll * tt)
    if rho2 >= 0.999:
        return 0.0
    return met * met / (ll * (1.0 - rho2))


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as handle:
        event = json.load(handle)
    print(f"{significance(event['met'], event['phi'], event['objects']):.2f}")
