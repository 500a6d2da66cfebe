"""Fifty ingests killed at random moments; `make test` tries six."""

import json

import pytest

from tests.ingest.test_crash import killed


@pytest.mark.bench
def test_fifty_moments(tmp_path):
    print(json.dumps(killed(tmp_path, 50)))
