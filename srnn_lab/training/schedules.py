"""What changes by plan with epochs and updates: the learning rate and the weight of the KL."""

from srnn_lab.config import TrainConfig


def learning_rate(config: TrainConfig, epoch: int) -> float:
    """The learning rate of an epoch (from 0): constant until the decay, then a geometric series."""
    decays = max(0, epoch - config.learning_rate_decay_start)
    return config.learning_rate * config.learning_rate_decay**decays


def kl_weight(config: TrainConfig, update: int) -> float:
    """The weight of the KL at an update (from 0): linear up to 1, then 1 (Appendix A.1)."""
    if update >= config.kl_weight_updates:
        return 1.0
    return config.kl_weight_start + (1 - config.kl_weight_start) * update / config.kl_weight_updates
