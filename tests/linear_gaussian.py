"""A state-space model whose evidence and posterior are known exactly, as a ``SequenceModel``."""

import numpy as np
import torch
from scipy.stats import multivariate_normal

from srnn_lab.config import ModelConfig
from srnn_lab.distributions import DiagonalGaussian
from srnn_lab.models import SequenceModel, State

A = np.array([0.9, -0.5])
Q = np.array([0.3, 0.8])
C = np.array([1.2, 0.7])
R = np.array([0.2, 0.5])


class LinearGaussian(SequenceModel):
    """Two independent chains z_t = A z_{t-1} + N(0, Q), x_t = C z_t + N(0, R), with z_0 = 0.

    The posterior is the exact one, q(z_t | z_{t-1}, x_{t:T}), in the form of the paper's Eq. (7), or the prior.
    """

    def __init__(self, exact: bool):
        super().__init__(ModelConfig(likelihood="gaussian", x_dim=2, d_dim=1, z_dim=2, variance_floor=0.0))
        self.exact = exact
        self.register_parameter("unused", torch.nn.Parameter(torch.zeros((), dtype=torch.float64)))

    @property
    def z_dim(self):
        return 2

    def encode(self, u, x, lengths, state):
        """Backward messages p(x_{t:T} | z_t) = exp(h_t z_t - J_t z_t^2 / 2), as precision J and shift h."""
        steps = x.shape[1]
        precision, shift = np.zeros((steps, 2)), np.zeros((*x.shape[:2], 2))
        ahead_j, ahead_h = np.zeros(2), np.zeros((len(x), 2))
        for t in reversed(range(steps)):
            precision[t] = C**2 / R + ahead_j
            shift[:, t] = C / R * x[:, t].numpy() + ahead_h
            gain = A / (1 + Q * precision[t])  # through z_t = A z_{t-1} + noise
            ahead_j, ahead_h = gain * A * precision[t], gain * shift[:, t]
        precision = torch.as_tensor(precision).expand(len(x), -1, -1)
        return {"d": torch.zeros(*x.shape[:2], 1).double(), "j": precision, "h": torch.as_tensor(shift)}

    def step(self, state, context_t, noise_t):
        variance = torch.as_tensor(Q).expand_as(state.z)
        prior = DiagonalGaussian(torch.as_tensor(A) * state.z, variance.log())
        posterior = prior
        if self.exact:
            v = 1 / (1 / variance + context_t["j"])
            posterior = DiagonalGaussian(v * (prior.mu / variance + context_t["h"]), v.log())
        return State(context_t["d"], posterior.rsample(noise_t)), prior, posterior

    def decode(self, d, z):
        return torch.cat([torch.as_tensor(C) * z, torch.as_tensor(np.log(R)).expand_as(z)], -1)


def log_evidence(x: np.ndarray) -> float:
    """log p(x_{1:T}) of one sequence (T, 2), from the joint covariance of each chain."""
    total, steps = 0.0, len(x)
    for i in range(2):
        lags = np.abs(np.subtract.outer(np.arange(steps), np.arange(steps)))
        earlier = np.minimum.outer(np.arange(steps), np.arange(steps)) + 1
        variance = Q[i] * (1 - A[i] ** (2 * earlier)) / (1 - A[i] ** 2)
        covariance = C[i] ** 2 * A[i] ** lags * variance + R[i] * np.eye(steps)
        total += multivariate_normal(np.zeros(steps), covariance).logpdf(x[:, i])
    return float(total)
