"""What the library's speed is held against: the SRNN as one first writes it, and as published."""

from bisect import bisect_left
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from srnn_lab.models import SRNN
from srnn_lab.models.distributions import DiagonalGaussian, floor_variance
from srnn_lab.models.networks import mlp


class PlainSRNN(nn.Module):
    """The SRNN (smoothing, Res_q) as one first writes it: a yardstick for the library.

    Args:
        model: The library's model, whose weights it copies.
    """

    def __init__(self, model: SRNN):
        super().__init__()
        c = model.config
        self.floor, self.likelihood = c.variance_floor, model.likelihood
        self.features = mlp(c.x_dim, c.hidden_dim, 2)
        self.gru_d = nn.GRU(c.hidden_dim, c.d_dim, batch_first=True)
        self.gru_a = nn.GRU(c.d_dim + c.hidden_dim, c.d_dim, batch_first=True)
        networks = [mlp(c.z_dim + c.d_dim, c.hidden_dim, c.num_layers, c.z_dim) for _ in range(4)]
        self.mu_p, self.logvar_p, self.mu_q, self.logvar_q = networks
        self.emission = mlp(
            c.d_dim + c.z_dim, c.hidden_dim, model.emission_layers, model.likelihood.num_params
        )
        for mine, theirs in self.pairs(model):
            mine.data.copy_(theirs)

    def pairs(self, model: SRNN) -> list[tuple[Tensor, Tensor]]:
        """Each of its parameters with what the library's model has in its place."""
        parts: Any = model  # torch's types say of no part what it is
        theirs = [
            *parts.features.parameters(),
            *parts.gru_d.parameters(),
            *parts.a.gru.parameters(),
        ]
        for network in (parts.prior, parts.posterior):
            first = torch.cat([network.from_z.weight, network.from_c.weight], 1).chunk(2)
            biases = network.from_c.bias.chunk(2)
            for weight, bias, further in zip(
                first, biases, (network.mu, network.logvar), strict=True
            ):
                theirs += [weight, bias, *further.parameters()]
        theirs += list(parts.emission.parameters())
        return list(zip(self.parameters(), theirs, strict=True))

    def forward(
        self, u: Float[Tensor, "b t x"], x: Float[Tensor, "b t x"], noise: Float[Tensor, "b t z"]
    ) -> tuple[Float[Tensor, "b t"], Float[Tensor, "b t"]]:
        """The terms log p(x_t | z_t, d_t) and KL of the bound."""
        d, _ = self.gru_d(self.features(u))
        a, _ = self.gru_a(torch.cat([d, self.features(x)], -1).flip(1))
        a = a.flip(1)
        z_t, zs, kls = torch.zeros_like(noise[:, 0]), [], []
        for d_t, a_t, noise_t in zip(d.unbind(1), a.unbind(1), noise.unbind(1), strict=True):
            for_p, for_q = torch.cat([z_t, d_t], -1), torch.cat([z_t, a_t], -1)
            mu_p, logvar_p = self.mu_p(for_p), floor_variance(self.logvar_p(for_p), self.floor)
            mu_q, logvar_q = (
                mu_p + self.mu_q(for_q),
                floor_variance(self.logvar_q(for_q), self.floor),
            )
            z_t = mu_q + torch.exp(0.5 * logvar_q) * noise_t
            zs.append(z_t)
            kls.append(
                DiagonalGaussian(mu_q, logvar_q).kl(DiagonalGaussian(mu_p, logvar_p)).sum(-1)
            )
        params = self.emission(torch.cat([d, torch.stack(zs, 1)], -1))
        return self.likelihood.log_prob(params, x), torch.stack(kls, 1)


class PeerSRNN(nn.Module):
    """An SRNN (smoothing) of what torch has: ``nn.LSTM`` for d and a, run whole by oneDNN or cuDNN.

    Mean and log-variance share one hidden layer, and p(z_t | z_{t-1}, d_t) is computed for all t at
    once, so that its loop over time is as short as it can be.

    Args:
        model: The library's model, whose sizes it has.
        d_dim: Units of each LSTM.
    """

    def __init__(self, model: SRNN, d_dim: int):
        super().__init__()
        c = model.config
        self.floor, self.likelihood = c.variance_floor, model.likelihood
        self.features = mlp(c.x_dim, c.hidden_dim, 2)
        self.lstm_d = nn.LSTM(c.hidden_dim, d_dim, batch_first=True)
        self.lstm_a = nn.LSTM(d_dim + c.hidden_dim, d_dim, batch_first=True)
        self.prior, self.posterior = (
            mlp(c.z_dim + d_dim, c.hidden_dim, 1, 2 * c.z_dim) for _ in range(2)
        )
        self.emission = mlp(
            d_dim + c.z_dim, c.hidden_dim, model.emission_layers, model.likelihood.num_params
        )

    @classmethod
    def of_size(cls, model: SRNN) -> "PeerSRNN":
        """The smallest one with ``model``'s number of parameters or more; its units go by fours."""

        def size(d_dim: int) -> int:
            with torch.device("meta"):
                return sum(p.numel() for p in cls(model, d_dim).parameters())

        choices = range(4, 2 * model.config.d_dim + 4, 4)
        return cls(
            model,
            choices[bisect_left(choices, sum(p.numel() for p in model.parameters()), key=size)],
        )

    def gaussian(
        self, network: nn.Module, z_tm1: Float[Tensor, "*batch z"], c: Float[Tensor, "*batch c"]
    ) -> DiagonalGaussian:
        """The Gaussian given z_{t-1} and c_t: mean and log-variance are the network's outputs."""
        mu, logvar = network(torch.cat([z_tm1, c], -1)).chunk(2, -1)
        return DiagonalGaussian(mu, floor_variance(logvar, self.floor))

    def forward(
        self, u: Float[Tensor, "b t x"], x: Float[Tensor, "b t x"], noise: Float[Tensor, "b t z"]
    ) -> tuple[Float[Tensor, "b t"], Float[Tensor, "b t"]]:
        """The terms log p(x_t | z_t, d_t) and KL of the bound, where u_t = x_{t-1}."""
        features = self.features(torch.cat([u[:, :1], x], 1))
        d, _ = self.lstm_d(features[:, :-1])
        a, _ = self.lstm_a(torch.cat([d, features[:, 1:]], -1).flip(1))
        z_t, zs, posteriors = torch.zeros_like(noise[:, 0]), [], []
        for a_t, noise_t in zip(a.flip(1).unbind(1), noise.unbind(1), strict=True):
            posteriors.append(self.gaussian(self.posterior, z_t, a_t))
            z_t = posteriors[-1].rsample(noise_t)
            zs.append(z_t)
        z = torch.stack(zs, 1)
        prior = self.gaussian(self.prior, torch.cat([torch.zeros_like(z[:, :1]), z[:, :-1]], 1), d)
        posterior = DiagonalGaussian(
            *(torch.stack(values, 1) for values in zip(*posteriors, strict=True))
        )
        params = self.emission(torch.cat([d, z], -1)).to(x.dtype)
        return self.likelihood.log_prob(params, x), posterior.kl(prior).sum(-1)
