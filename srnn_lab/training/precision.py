"""Whether matrix products in training are rounded to bf16."""

import torch

from srnn_lab.config import TrainConfig


def use_bf16(config: TrainConfig, device_type: str) -> bool:
    """Whether matrix products are in bf16: as configured, or by what the hardware is made for."""
    if config.precision == "auto":
        if device_type == "cuda":
            return torch.cuda.is_bf16_supported(including_emulation=False)
        capabilities = getattr(torch.cpu, "get_capabilities", dict)()  # torch 2.9 has none
        made_for_it = any(capabilities.get(name) for name in ("amx_bf16", "avx512_bf16"))
        return device_type == "cpu" and made_for_it
    return config.precision == "bf16"


def precision_of(config: TrainConfig, device_type: str) -> str:
    """That of matrix products in training, ``bf16`` or ``fp32``."""
    return "bf16" if use_bf16(config, device_type) else "fp32"
