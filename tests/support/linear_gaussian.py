"""SRNN and DKF whose evidence and posterior are known exactly, and their Kalman filter."""

import numpy as np
import torch
from statsmodels.tsa.statespace.kalman_filter import KalmanFilter
from torch import nn

from srnn_lab.config import ModelConfig
from srnn_lab.models import DKF, SRNN, SequenceModel
from srnn_lab.models.distributions import DiagonalGaussian

A = np.array([0.9, -0.5])
B = np.array([0.6, -0.4])
C = np.array([1.2, 0.7])
D = np.array([-0.3, 0.5])
Q = np.array([0.3, 0.8])
R = np.array([0.2, 0.5])
SLOPE, CENTRE = 2**-10, 1.5
"""Where the clipped rectifier is linear: a unit at ``CENTRE + SLOPE * value``."""


class Exact:
    """Two chains z_t = A z_{t-1} + B d_t + N(0, Q), x_t = C z_t + D d_t + N(0, R), with z_0 = 0.

    The weights of the prior and of the emission are set to that. The posterior is the exact one,
    q(z_t | z_{t-1}, x_{t:T}) of Eq. (7) (``smoothing``), that of x_t alone (``filtering``), or the
    prior."""

    has_d: bool
    path = SequenceModel.path  # the faster one is made for a posterior of the library's form

    def __init__(self, posterior: str = "smoothing"):
        sizes = {"x_dim": 2, "d_dim": 1, "z_dim": 2, "hidden_dim": 2}
        super().__init__(
            ModelConfig(likelihood="gaussian", residual=False, variance_floor=0.0, **sizes)
        )
        self.double().requires_grad_(False)
        self.features, self.a, self.posterior = (
            nn.Identity(),
            Messages(posterior, has_d=self.has_d),
            Smoother(),
        )
        of_z, of_x = np.diag(A), np.diag(C)
        if self.has_d:
            of_x = np.concatenate([D[:, None], of_x], 1)
            self.prior.from_c.weight[:2] = SLOPE * torch.tensor(B)[:, None]
        self.prior.from_z.weight[:2], self.emission[0].weight[:] = (
            SLOPE * torch.tensor(of_z),
            SLOPE * torch.tensor(of_x),
        )
        for hidden in (self.prior.from_c, self.emission[0]):
            hidden.bias.fill_(CENTRE)
        prior, emission = (self.prior.mu[-1], self.prior.logvar[-1]), self.emission[-1]
        read_out(*(layer.weight for layer in prior), *(layer.bias for layer in prior), variance=Q)
        read_out(*emission.weight.chunk(2), *emission.bias.chunk(2), variance=R)

    def log_evidence(self, x: np.ndarray) -> float:
        """log p(x_{1:T}) of one sequence (T, 2), by the Kalman filter of statsmodels."""
        u = torch.as_tensor(np.concatenate([np.zeros((1, 2)), x[:-1]])[None])
        d = (
            FixedStates()(u, u.new_zeros(1, 1))[0].T.numpy()
            if self.has_d
            else np.zeros((1, len(x)))
        )
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


def read_out(mean_weight, logvar_weight, mean_bias, logvar_bias, variance):
    """The values behind two hidden units, and a constant variance."""
    mean_weight.copy_(torch.eye(2) / SLOPE)
    mean_bias.fill_(-CENTRE / SLOPE)
    logvar_weight.zero_()
    logvar_bias.copy_(torch.tensor(np.log(variance)))


class FixedStates(nn.Module):
    """d_t = d_{t-1} / 2 + the mean of u_t, in the place of the GRU."""

    def forward(self, u, d):
        states = []
        for u_t in u.unbind(1):
            d = d / 2 + u_t.mean(-1, keepdim=True)
            states.append(d)
        return torch.stack(states, 1)


class Messages(nn.Module):
    """a_t = (J_t, h_t + B d_t / Q) from [d_t, x_t] and a_{t+1}.

    It says that p(x_{t:T} | z_t) = exp(h_t z_t - J_t z_t^2 / 2).
    """

    def __init__(self, posterior: str, *, has_d: bool):
        super().__init__()
        self.posterior, self.has_d = posterior, has_d

    def forward(self, inputs, lengths):
        d, x = (inputs[..., :1], inputs[..., 1:]) if self.has_d else (0 * inputs[..., :1], inputs)
        a, c, q, r = (torch.as_tensor(values) for values in (A, C, Q, R))
        of_d, of_x = torch.as_tensor(B) * d, x - torch.as_tensor(D) * d
        messages, ahead_j, ahead_h = [], 0, 0
        for t in reversed(range(x.shape[1])):
            valid = (t < lengths)[:, None] & (self.posterior != "prior")
            j, h = valid * c**2 / r + ahead_j, valid * c / r * of_x[:, t] + ahead_h
            messages.append(torch.cat([j, h + of_d[:, t] / q], -1))
            if self.posterior == "smoothing":
                gain = a / (1 + q * j)  # through z_t = A z_{t-1} + B d_t + noise
                ahead_j, ahead_h = gain * a * j, gain * (h - j * of_d[:, t])
        return torch.stack(messages[::-1], 1)


class Smoother(nn.Module):
    """q(z_t | z_{t-1}, a_t)."""

    def project(self, a):
        return a

    def forward(self, z_tm1, a_t):
        j, h = a_t.chunk(2, -1)
        v = 1 / (1 / torch.as_tensor(Q) + j)
        return DiagonalGaussian(v * (torch.as_tensor(A / Q) * z_tm1 + h), v.log())


class LinearDKF(Exact, DKF):
    """Without d."""

    has_d = False


class LinearSRNN(Exact, SRNN):
    """With fixed d."""

    has_d = True

    def __init__(self, posterior: str = "smoothing"):
        super().__init__(posterior)
        self.gru_d = FixedStates()
