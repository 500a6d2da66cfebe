"""Fifty ingests killed at random moments; `make test` tries six."""

import json

import pytest

from tests.ingest.test_crash import killed


@pytest.mark.bench
def test_fifty_moments(tmp_path):
    print(json.dumps(killed(tmp_path, "--kills", "50")))


@pytest.mark.bench
def test_a_crawl_of_2000_pages_killed_thirty_times(tmp_path):
    """Equal to an undisturbed crawl in the end, and under 5 % of the pages asked for twice."""
    told = killed(tmp_path, "--pages", "2000", "--kills", "30", driver="crawl_driver")
    print(json.dumps(told))
    assert told["asked_twice"] < 0.05 * told["pages"]
