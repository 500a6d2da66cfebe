"""Whether numbers of 16 bits pay here: half the work, where the hardware multiplies them."""


def bfloat16_pays() -> bool:
    """A GPU, or a processor, that has units (AMX) or instructions (AVX-512) for bfloat16.

    Other processors take such numbers too, and are slower with them.
    """
    import torch

    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    able = torch.cpu.get_capabilities()
    return bool(able.get("amx_bf16") or able.get("avx512_bf16"))
