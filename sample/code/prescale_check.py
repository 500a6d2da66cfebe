# SPDX-License-Identifier: Apache-2.0
"""Check a Level-1 menu against the limits of the trigger system.

The menu is a list of items with threshold, prescale and rate. The checks are
those of the Thursday upload: total rate, number of items, and prescales that
the L1CT can store.

    python prescale_check.py menu.json
"""

import json
import sys

#: Highest Level-1 output the detectors can read out (Hz).
L1_LIMIT_HZ = 100_000

#: A warning is printed from this fraction of the limit on.
WARN_FRACTION = 0.95

#: The L1CT has this many item slots; the last 16 are kept for tests.
ITEM_SLOTS = 512
TEST_SLOTS = 16

#: Prescales are stored as 24-bit integers.
MAX_PRESCALE = 2**24 - 1

#: Mean overlap of items, from enhanced-bias run 337650: the sum of the item
#: rates is larger than the rate of the OR by this factor.
OVERLAP_FACTOR = 1.18


class MenuError(ValueError):
    """The menu must not be uploaded."""


def total_rate(items):
    """Rate of the OR of all items in Hz, after prescale and overlap."""
    return sum(item["rate_hz"] / item["prescale"] for item in items if item["prescale"] > 0) / OVERLAP_FACTOR


def check(items):
    """Return a list of warnings; raise MenuError where the menu is not allowed.

    A prescale of -1 switches an item off. A prescale of 0 is forbidden.
    """
    if len(items) > ITEM_SLOTS - TEST_SLOTS:
        raise MenuError(f"{len(items)} items, only {ITEM_SLOTS - TEST_SLOTS} slots")
    for item in items:
        prescale = item["prescale"]
        if prescale == 0 or prescale < -1 or prescale > MAX_PRESCALE:
            raise MenuError(f"{item['name']}: prescale {prescale} not allowed")
    rate = total_rate(items)
    if rate > L1_LIMIT_HZ:
        raise MenuError(f"total rate {rate:.0f} Hz above {L1_LIMIT_HZ} Hz")
    if rate > WARN_FRACTION * L1_LIMIT_HZ:
        return [f"total rate {rate:.0f} Hz is above 95% of the limit"]
    return []


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as handle:
        for warning in check(json.load(handle)):
            print("warning:", warning)
