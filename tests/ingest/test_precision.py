"""In which numbers a model is run, by what the hardware says of itself."""

import pytest
import torch

from ingest.precision import bfloat16_pays


@pytest.mark.parametrize(
    ("able", "pays"),
    [
        ({"amx_bf16": True, "avx512_bf16": True}, True),
        ({"amx_bf16": False, "avx512_bf16": True}, True),
        ({"amx_bf16": False, "avx512_bf16": False}, False),
        ({}, False),
    ],
)
def test_a_processor_with_units_or_instructions_for_16_bits_uses_them(monkeypatch, able, pays):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert bfloat16_pays() is pays


@pytest.mark.parametrize("pays", [True, False])
def test_a_card_says_itself(monkeypatch, pays):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: pays)
    assert bfloat16_pays() is pays
