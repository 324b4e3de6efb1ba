"""Models whose evidence and posterior are known exactly, as a ``SequenceModel``, and their Kalman filter."""

import numpy as np
import torch
from statsmodels.tsa.statespace.kalman_filter import KalmanFilter

from srnn_lab.config import ModelConfig
from srnn_lab.distributions import DiagonalGaussian
from srnn_lab.models import SequenceModel, State

A = np.array([0.9, -0.5])
B = np.array([0.6, -0.4])
C = np.array([1.2, 0.7])
D = np.array([-0.3, 0.5])
Q = np.array([0.3, 0.8])
R = np.array([0.2, 0.5])


class LinearGaussian(SequenceModel):
    """Two chains z_t = A z_{t-1} + B d_t + N(0, Q), x_t = C z_t + D d_t + N(0, R), with z_0 = 0.

    An SRNN whose d is fixed, d_t = d_{t-1} / 2 + the mean of u_t; or a state-space model (a linear-Gaussian DKF), with
    d = 0. The posterior is the exact one, q(z_t | z_{t-1}, x_{t:T}) of Eq. (7) (``smoothing``), that of x_t alone
    (``filtering``), or the prior.
    """

    def __init__(self, posterior: str = "smoothing", *, has_d: bool = True):
        super().__init__(ModelConfig(likelihood="gaussian", x_dim=2, d_dim=1, z_dim=2, variance_floor=0.0))
        self.posterior, self.has_d = posterior, has_d
        self.register_parameter("unused", torch.nn.Parameter(torch.zeros((), dtype=torch.float64)))

    @property
    def z_dim(self):
        return 2

    def d(self, u):
        d, d_t = np.zeros((*u.shape[:2], 1)), 0
        for t in range(u.shape[1] if self.has_d else 0):
            d[:, t, 0] = d_t = d_t / 2 + u[:, t].mean(-1)
        return d

    def encode(self, u, x, lengths, state):
        """Backward messages p(x_{t:T} | z_t) = exp(h_t z_t - J_t z_t^2 / 2), as precision J and shift h."""
        d, x, steps = self.d(u.numpy()), x.numpy(), x.shape[1]
        precision, shift = np.zeros((2, *x.shape))
        ahead_j, ahead_h = np.zeros((2, len(x), 2))
        for t in reversed(range(steps)):
            valid = (t < lengths.numpy())[:, None]
            precision[:, t] = valid * C**2 / R + ahead_j
            shift[:, t] = valid * C / R * (x[:, t] - D * d[:, t]) + ahead_h
            if self.posterior == "smoothing":
                gain = A / (1 + Q * precision[:, t])  # through z_t = A z_{t-1} + B d_t + noise
                ahead_j = gain * A * precision[:, t]
                ahead_h = gain * (shift[:, t] - precision[:, t] * B * d[:, t])
        return {"d": torch.as_tensor(d), "j": torch.as_tensor(precision), "h": torch.as_tensor(shift)}

    def step(self, state, context_t, noise_t):
        d_t, variance = context_t["d"], torch.as_tensor(Q).expand_as(state.z)
        prior = DiagonalGaussian(torch.as_tensor(A) * state.z + torch.as_tensor(B) * d_t, variance.log())
        posterior = prior
        if self.posterior != "prior":
            v = 1 / (1 / variance + context_t["j"])
            posterior = DiagonalGaussian(v * (prior.mu / variance + context_t["h"]), v.log())
        return State(d_t, posterior.rsample(noise_t)), prior, posterior

    def decode(self, d, z):
        mean = torch.as_tensor(C) * z + torch.as_tensor(D) * d
        return torch.cat([mean, torch.as_tensor(np.log(R)).expand_as(z)], -1)

    def log_evidence(self, x: np.ndarray) -> float:
        """log p(x_{1:T}) of one sequence (T, 2), by the Kalman filter of statsmodels."""
        u = np.concatenate([np.zeros((1, 2)), x[:-1]])
        d = self.d(u[None])[0].T
        of_z, of_x = B[:, None] * d, D[:, None] * d
        kalman = KalmanFilter(
            2,
            2,
            design=np.diag(C),
            obs_cov=np.diag(R),
            transition=np.diag(A),
            selection=np.eye(2),
            state_cov=np.diag(Q),
        )
        kalman.bind(x.copy())
        kalman["obs_intercept"], kalman["state_intercept"] = of_x, np.roll(of_z, -1, 1)
        kalman.initialize_known(of_z[:, 0], np.diag(Q))  # z_1 given z_0 = 0
        return float(kalman.loglike())
