# SPDX-License-Identifier: Apache-2.0
"""Event weight of b-tagging from scale factors and efficiencies.

Only for teaching: analyses take the tool of Compass. Efficiencies must be those
of the generator of the sample.
"""

#: Jets above this pT (GeV) use the scale factor of the last bin; the
#: extrapolation uncertainty grows with ln(pT / PT_LAST).
PT_LAST = 400.0

#: An efficiency is kept inside this range, or one jet gets a huge weight.
EFF_MIN, EFF_MAX = 0.001, 0.98

#: Weights outside are a sign of a wrong map.
WEIGHT_WARN = (0.2, 5.0)


def jet_weight(tagged, scale_factor, efficiency):
    """Weight of one jet: SF when tagged, (1 - SF eff) / (1 - eff) when not."""
    efficiency = min(max(efficiency, EFF_MIN), EFF_MAX)
    if tagged:
        return scale_factor
    return max(0.0, (1.0 - scale_factor * efficiency) / (1.0 - efficiency))


def event_weight(jets, lookup):
    """Product over all jets with pT > 20 GeV and |eta| < 2.5.

    `lookup(flavour, pt, eta)` gives scale factor and efficiency. Jets without
    tracks count as not tagged, with efficiency EFF_MIN.
    """
    weight = 1.0
    for jet in jets:
        if jet["pt"] < 20.0 or abs(jet["eta"]) > 2.5:
            continue
        factor, efficiency = lookup(jet["flavour"], min(jet["pt"], PT_LAST), jet["eta"])
        if jet["n_tracks"] == 0:
            factor, efficiency = 1.0, EFF_MIN
        weight *= jet_weight(jet["tagged"], factor, efficiency)
    return weight


def suspicious(weight):
    """True when somebody should look at the map of efficiencies."""
    return not WEIGHT_WARN[0] <= weight <= WEIGHT_WARN[1]
