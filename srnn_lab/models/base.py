"""What a sequence model is, and the one loop over time that all bounds and samples go through."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from srnn_lab.config import ModelConfig
from srnn_lab.models.distributions import Latent
from srnn_lab.models.likelihoods import LIKELIHOODS
from srnn_lab.models.networks import LogCounts, Observed, features_of, mlp, possibly, tf32

Context = dict[str, Tensor]
"""What does not depend on z: by name, (B, T, .) for all t or (B, .) for one t."""
INPUTS = ("u_dim", "feedback")
"""Settings of a model whose u_t may be something else than x_{t-1}; it reads u by ``read``."""


class State(NamedTuple):
    """What step t hands to step t + 1, and a segment to the next (truncated back-propagation)."""

    d: Float[Tensor, "b d"]
    z: Float[Tensor, "b z"]

    def detach(self) -> "State":
        """The same values, without their gradient."""
        return State(self.d.detach(), self.z.detach())

    def repeat(self, paths: int) -> "State":
        """The states ``paths`` times over, one copy below the other, as ``Batch.repeat``."""
        return State(self.d.repeat(paths, 1), self.z.repeat(paths, 1))


class Trace(NamedTuple):
    """A sampled path through each sequence, with the prior and the posterior along it.

    Attributes:
        d: Deterministic states.
        z: Latent states, as drawn.
        prior: p(z_t | z_{t-1}, d_t) for all t.
        posterior: What z_t was drawn from, for all t.
        state: d and z after the last valid frame of each sequence.
    """

    d: Float[Tensor, "b t d"]
    z: Float[Tensor, "b t z"]
    prior: Latent
    posterior: Latent
    state: State


class SequenceModel(nn.Module, ABC):
    """p(x, z, d | u) and q(z | x, u) in the pieces that the loop over time needs.

    Args:
        config: Sizes, variants and shares of dropout.

    Attributes:
        reads: Settings of ``ModelConfig`` that it reads and not every model does.

    Raises:
        ValueError: The likelihood is unknown, or the model reads x_{t-1} alone and u_t is to be
            something else.
    """

    reads: ClassVar[tuple[str, ...]] = ("z_dim", "dropout_heads", "features_z")
    emission: nn.Sequential
    reparameterised = True
    """Whether gradients pass through the draws of z_t."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        if config.likelihood not in LIKELIHOODS:
            raise ValueError(
                f"ModelConfig.likelihood is {config.likelihood!r}; choose one of "
                f"{LIKELIHOODS.choices()}, or install the package that brings it."
            )
        if (config.u_dim or not config.feedback) and not set(INPUTS) <= set(self.reads):
            raise ValueError(
                f"ModelConfig.u_dim is {config.u_dim} and feedback {config.feedback}; "
                f"{config.model!r} has no input but x_{{t-1}}, if any: leave out --inputs and "
                "--no-feedback, or choose another model."
            )
        self.config = config
        self.likelihood = LIKELIHOODS[config.likelihood](config)
        self.features = self._reader(config.x_dim, config.missing, config.centred_inputs)
        if self.likelihood.values == "count":
            self.features.insert(0, LogCounts())
        if config.u_dim:
            self.features_u = self._reader(config.u_dim, config.missing_inputs)
        self.features_z: nn.Module = nn.Identity()
        self.read_d, self.read_z = nn.Dropout(config.dropout_d), nn.Dropout(config.dropout_emission)
        self._apart = False

    def _reader(self, size: int, missing: bool, centred: bool = False) -> nn.Sequential:
        """The network that reads x or known inputs, with a mask where values may be missing."""
        c = self.config
        in_dim = size * (2 if missing else 1)
        network = mlp(in_dim, c.hidden_dim, 2, dropout=c.dropout_features, centred=centred)
        if missing:
            network.insert(0, Observed())
        return network

    @property
    def of_u_dim(self) -> int:
        """Number of features that ``read`` gives of u."""
        return max(1, self.config.hidden_dim * (self.config.feedback + (self.config.u_dim > 0)))

    def read(
        self,
        u: Float[Tensor, "b t u"],
        x: Float[Tensor, "b t x"] | None,
        expected: Float[Tensor, "b t x"] | None = None,
    ) -> tuple[Float[Tensor, "b t v"], Float[Tensor, "b t h"] | None]:
        """Features of u_t, and of x.

        Args:
            u: Inputs: x_{t-1}, and after it what is known besides.
            x: Observations, or None without any.
            expected: What stands in u for missing values of x_{t-1}, instead of 0.

        Returns:
            Features of x_{t-1}, of the known inputs, of both, or a 0 where u_t is nothing; and
            features of x, or None without it.
        """
        c = self.config
        if c.feedback and not c.u_dim and expected is None:
            return features_of(self.features, u, x)
        x_tm1, known = u.tensor_split([c.x_dim], -1)
        parts = [self._features_of_past(x_tm1, expected)] if c.feedback else []
        parts += [self.features_u(known)] if c.u_dim else []
        of_u = torch.cat(parts, -1) if parts else torch.zeros_like(u[..., :1])
        return of_u, None if x is None else self.features(x)

    def _features_of_past(
        self, x_tm1: Float[Tensor, "b t x"], expected: Float[Tensor, "b t x"] | None
    ) -> Float[Tensor, "b t h"]:
        if expected is None:
            return self.features(x_tm1)
        values = x_tm1
        for part in self.features:
            if isinstance(part, LogCounts):
                expected = part(expected)
            values = part(values, expected) if isinstance(part, Observed) else part(values)
        return values

    @property
    def fills(self) -> bool:
        """Whether the mean that the model gives a missing value of x_{t-1} stands for it in u."""
        c = self.config
        return c.missing and c.feedback and c.stand_in == "mean" and "stand_in" in self.reads

    def has_holes(self, u: Float[Tensor, "b t u"]) -> bool:
        """Whether something must be filled in u; on a GPU, which is not asked, always if ever."""
        return self.fills and possibly(u[..., : self.config.x_dim].isnan())

    def expected(self, state: State) -> Float[Tensor, "b x"]:
        """E[x_t | z_t, d_t] of the frame that a state belongs to, or 0 before the first one."""
        params = self.decode(state.d[:, None], state.z[:, None])
        begun = (state.d != 0).any(-1, keepdim=True)
        return self.likelihood.mean(params)[:, 0].masked_fill(~begun, 0)

    @contextmanager
    def expecting(self) -> Iterator[None]:
        """The model as it is, whose means are data: no dropout, no gradient, no low precision.

        Autocast would keep weights that it converted here, and lose their gradients later.
        """
        device = next(self.parameters()).device.type
        with torch.no_grad(), self.evaluating(), torch.autocast(device, enabled=False):
            yield

    def read_for_d(
        self,
        u: Float[Tensor, "b t u"],
        x: Float[Tensor, "b t x"] | None,
        project: Callable[[Tensor], Tensor],
    ) -> tuple[Context, Float[Tensor, "b t h"] | None]:
        """What ``for_d`` reads, where d depends on z.

        Args:
            u: Inputs: x_{t-1}, and after it what is known besides.
            x: Observations, or None without any.
            project: What depends on the features of u_t alone.

        Returns:
            Its value for all t or, where u has holes, u itself; and features of x, or None.
        """
        if self.has_holes(u):
            return {"u": u}, None if x is None else self.features(x)
        of_u, of_x = self.read(u, x)
        return {"for_d": project(of_u)}, of_x

    def for_d(
        self, context_t: Context, state: State, project: Callable[[Tensor], Tensor]
    ) -> Float[Tensor, "b g"]:
        """``project`` of the features of u_t, whose holes the path fills by its own mean.

        Args:
            context_t: What ``read_for_d`` gave for this frame.
            state: d_{t-1} and z_{t-1}, which say what x_{t-1} is expected to be.
            project: As of ``read_for_d``.

        Returns:
            Its value for one t.
        """
        if "u" not in context_t:
            return context_t["for_d"]
        with self.expecting():
            expected = self.expected(state)[:, None]
        return project(self.read(context_t["u"][:, None], None, expected)[0])[:, 0]

    def expected_past(
        self, u: Float[Tensor, "b t u"], state: State
    ) -> Float[Tensor, "b t x"] | None:
        """What stands in u for missing values of x_{t-1}, where d does not depend on z.

        It is their mean on the path on which each z_t is the mean of its prior: a function of what
        was observed, and of nothing later.

        Args:
            u: Inputs: x_{t-1}, and after it what is known besides.
            state: d_0, and z_0 of that path.

        Returns:
            A value for each of x_{t-1}, for all t, or None where nothing is missing.
        """
        if not self.has_holes(u):
            return None
        means = []
        with self.expecting():
            for u_t in u.split(1, 1):
                means.append(self.expected(state)[:, None])
                state = self.follow(state, self.read(u_t, None, means[-1])[0])
        return torch.cat(means, 1)

    def follow(self, state: State, of_u_t: Float[Tensor, "b 1 v"]) -> State:
        """d_t, and the mean of the prior of z_t, of a model in which d does not depend on z.

        Args:
            state: d_{t-1} and z_{t-1}.
            of_u_t: Features of u_t.

        Raises:
            NotImplementedError: d depends on z; such a model fills by ``for_d``.
        """
        raise NotImplementedError

    def emission_network(self, in_dim: int) -> nn.Sequential:
        """The network that gives the parameters of p(x_t | z_t, d_t) from ``in_dim`` inputs."""
        c = self.config
        return mlp(
            in_dim,
            c.hidden_dim,
            self.emission_layers,
            self.likelihood.num_params,
            dropout=c.dropout_emission,
        )

    @property
    def emission_layers(self) -> int:
        """Hidden layers of the emission network, and of a filtering a."""
        return self.config.emission_layers or self.config.num_layers

    def network_of_z(self, *, automatic: bool = False) -> tuple[nn.Module, int]:
        """phi_z, through which other networks read z.

        Args:
            automatic: Whether this model has it where the configuration leaves that to the model.

        Returns:
            The network, and the number of values that it gives. Without phi_z, the network passes z
            on as it is.
        """
        c = self.config
        if c.features_z == "on" or (c.features_z == "auto" and automatic):
            return mlp(c.z_dim, c.hidden_dim, c.num_layers), c.hidden_dim
        return nn.Identity(), c.z_dim

    @torch.no_grad()
    def start_from(
        self, mean: Float[Tensor, "x"], variance: Float[Tensor, "x"], *, emission: bool
    ) -> None:
        """Initialise by the training set: centred inputs by its mean, an emission by its moments.

        Args:
            mean: Mean of each value of a frame.
            variance: Variance of each value.
            emission: Whether the last bias of the emission is set by them.
        """
        if self.config.centred_inputs:
            features: Any = self.features
            *before, centred = features[: 1 + (self.likelihood.values == "count")]
            first: Any = centred  # torch's types say of no part what it is
            first.mean.copy_(before[0](mean) if before else mean)
        if emission:
            last: Any = self.emission[-1]
            last.bias.copy_(self.likelihood.params_of(mean, variance))

    @property
    def d_dim(self) -> int:
        """Size of d_t; 0 in a model without deterministic states."""
        return self.config.d_dim

    @property
    def residual(self) -> bool:
        """Whether the posterior mean is the prior mean plus a correction (Res_q, Eq. 12)."""
        return False

    @property
    def z_dim(self) -> int:
        """Dimensions of z_t; 0 in a model without latent variables."""
        return self.config.z_dim

    @abstractmethod
    def encode(
        self,
        u: Float[Tensor, "b t u"],
        x: Float[Tensor, "b t x"] | None,
        lengths: Int[Tensor, "b"],
        state: State,
    ) -> Context:
        """All that does not depend on z, for all t; without ``x``, only what generation needs.

        Args:
            u: Inputs: x_{t-1}, and after it what is known besides.
            x: Observations, on which the posterior is conditioned.
            lengths: Valid frames of each sequence; what follows is padding.
            state: d_0 and z_0.
        """

    @abstractmethod
    def step(
        self, state: State, context_t: Context, noise_t: Float[Tensor, "b z"]
    ) -> tuple[State, Latent, Latent]:
        """d_t and z_t, the prior of z_t, and what z_t is drawn from: posterior, or prior without x.

        Args:
            state: d_{t-1} and z_{t-1}.
            context_t: What ``encode`` gave for this frame.
            noise_t: The standard normal noise that draws z_t.
        """

    @abstractmethod
    def decode(
        self, d: Float[Tensor, "b t d"], z: Float[Tensor, "b t z"]
    ) -> Float[Tensor, "b t p"]:
        """Parameters of p(x_t | z_t, d_t), for all t at once."""

    def emit(
        self, d: Float[Tensor, "b t d"], z: Float[Tensor, "b t z"], u: Float[Tensor, "b t u"]
    ) -> Float[Tensor, "b t q"]:
        """Parameters of p(x_t | z_t, d_t, x_{t-1}), as ``likelihood`` reads them, for all t.

        Args:
            d: Deterministic states.
            z: Latent states.
            u: Inputs: x_{t-1}, and after it what is known besides.

        Returns:
            What ``decode`` gives and, of an autoregressive likelihood, what it needs of x_{t-1}.
        """
        return self.likelihood.given(self.decode(d, z), u[..., : self.config.x_dim])

    @contextmanager
    def posterior_apart(self) -> Iterator[None]:
        """Stop gradients from the posterior to the generative model and through draws of z_t.

        They pass again after the ``with`` block.
        """
        self._apart = True
        try:
            yield
        finally:
            self._apart = False

    def for_q(self, values: Tensor) -> Tensor:
        """What q reads of the generative model: d_t, features, phi_z of z_{t-1}, the prior mean."""
        return values.detach() if self._apart else values

    def draw(self, latent: Latent, noise_t: Float[Tensor, "b z"]) -> Float[Tensor, "b z"]:
        """Draw z_t from its posterior or, without x, from its prior."""
        return self.for_q(latent.rsample(noise_t))

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Leave out dropout, and multiply in full fp32 on a GPU too, within the ``with`` block."""
        before = self.training
        self.eval()
        try:
            with tf32(False):
                yield
        finally:
            self.train(before)

    def initial_state(self, batch_size: int) -> State:
        """d_0 = 0 and z_0 = 0."""
        weight = next(self.parameters())
        return State(
            weight.new_zeros(batch_size, self.d_dim), weight.new_zeros(batch_size, self.z_dim)
        )

    def unroll(
        self,
        u: Float[Tensor, "b t u"],
        x: Float[Tensor, "b t x"] | None,
        lengths: Int[Tensor, "b"],
        state: State,
        noise: Float[Tensor, "n t z"],
    ) -> Trace:
        """Algorithm 1: for t = 1 to T, z_t is drawn given z_{t-1}.

        It is drawn from the posterior given ``x``, else from the prior.

        Args:
            u: Inputs: x_{t-1}, and after it what is known besides.
            x: Observations, or None to generate.
            lengths: Valid frames of each sequence, at least 1.
            state: d_0 and z_0.
            noise: Standard normal, one vector a frame; with n = K b rows, K paths a sequence are
                drawn (all sequences' first paths, then their second ones, ...), which share what
                does not depend on z.

        Returns:
            d, z, prior and posterior for all t, and the state after each sequence's last valid
            frame. Without ``x``, z is drawn from the prior, which then stands for the posterior as
            well.
        """
        context = self.encode(u, x, lengths, state)
        if (paths := len(noise) // len(u)) > 1:
            context = {name: values.repeat(paths, 1, 1) for name, values in context.items()}
            state = state.repeat(paths)
            lengths = lengths.repeat(paths)
        d, z, prior, posterior = self.path(context, state, noise)
        rows = torch.arange(len(lengths), device=lengths.device)
        return Trace(d, z, prior, posterior, State(d[rows, lengths - 1], z[rows, lengths - 1]))

    def path(
        self, context: Context, state: State, noise: Float[Tensor, "b t z"]
    ) -> tuple[Float[Tensor, "b t d"], Float[Tensor, "b t z"], Latent, Latent]:
        """d, z, prior and posterior of the path that ``noise`` draws: ``step`` after ``step``.

        This is the definition. A model may do the same faster; ``tests/models/test_recurrence.py``
        compares the two.

        Args:
            context: What ``encode`` gives.
            state: d_0 and z_0.
            noise: Standard normal, one vector a frame.

        Returns:
            d (B, T, D), z (B, T, Z), and prior and posterior with parameters (B, T, Z).
        """
        path = zip(*self.steps(context, state, noise), strict=True)
        # Each kind of thing, a tuple of tensors at every t, becomes one of tensors for all t.
        (d, z), prior, posterior = (
            type(parts[0])(*(torch.stack(values, 1) for values in zip(*parts, strict=True)))
            for parts in path
        )
        return d, z, prior, posterior

    def steps(
        self, context: Context, state: State, noise: Float[Tensor, "n t z"]
    ) -> Generator[tuple[State, Latent, Latent], State | None, None]:
        """The loop over time: d_t, z_t, p(z_t | z_{t-1}, d_t), and what z_t was drawn from.

        What it is sent takes the place of d_t and z_t before it goes on: a particle filter's
        resampling.

        Args:
            context: Of b sequences.
            state: d_0 and z_0 of n = K b paths.
            noise: Of n paths, in the order of ``unroll``.

        Yields:
            For one t, the state with d_t (N, D) and z_t (N, Z), the prior, and what z_t was drawn
            from.
        """
        frames = zip(*(values.unbind(1) for values in context.values()), strict=True)
        for values_t, noise_t in zip(frames, noise.unbind(1), strict=True):
            # Repeated frame by frame, since all frames of all paths may not fit in memory.
            if (paths := len(noise_t) // len(values_t[0])) > 1:
                values_t = [values.repeat(paths, 1) for values in values_t]
            state, prior_t, posterior_t = self.step(
                state, dict(zip(context, values_t, strict=True)), noise_t
            )
            resampled = yield state, prior_t, posterior_t
            state = state if resampled is None else resampled
