"""The deep Kalman filter, or deep Markov model: a nonlinear state-space model (Figure 4c).

It has no recurrent network.
"""

from jaxtyping import Float, Int
from torch import Tensor, nn

from srnn_lab.config import ModelConfig
from srnn_lab.models.base import Context, State
from srnn_lab.models.networks import BackwardGRU, GatedTransition, GaussianNetwork, mlp
from srnn_lab.models.state_space import StateSpaceModel
from srnn_lab.models.tridiagonal import TridiagonalPosterior


class DKF(StateSpaceModel):
    """A Markov chain of latent states, each shown by one frame: the SRNN without d (Figure 4c).

    Generative model:  p(x, z) = prod_t p(x_t | z_t) p(z_t | z_{t-1}); no input u, so all memory is
    in z. Where the first frame is not scored, the other models read it as u; this one never sees
    it.

    Posterior: q(z | x) = prod_t q(z_t | z_{t-1}, a_t), with a_t = g(a_{t+1}, x_t) (smoothing) or
    a_t = NN(x_t) (filtering). Smoothing has the form of the true posterior, in which z_t depends on
    z_{t-1} and x_{t:T} alone.

    Krishnan et al., "Deep Kalman filters" (2015) and "Structured inference networks for nonlinear
    state space models" (2017): their DMM with its posterior DKS is ``config.gated_transition`` and
    ``config.smoothing`` without ``config.residual`` (with it, an untrained chain adds up its
    corrections, and training starts from a far lower bound). The networks are those of the SRNN
    (clipped rectifiers, log-variances) rather than theirs (rectifiers, softplus for the variance;
    tanh of z_{t-1}, averaged with a_t, in the posterior).

    Args:
        config: Sizes and variant; ``d_dim`` is the size of a alone.
    """

    a: nn.Module
    reads = (*StateSpaceModel.reads, "posterior", "smoothing", "residual", "gated_transition")

    def __init__(self, config: ModelConfig):
        super().__init__(config)
        a, z, h, layers = config.d_dim, config.z_dim, config.hidden_dim, config.num_layers
        networks = config.posterior == "networks"
        if networks:
            self.a = BackwardGRU(h, a) if config.smoothing else mlp(h, a, self.emission_layers)
        self.features_z, of_z = self.network_of_z()
        if config.gated_transition:
            self.prior = GatedTransition(
                z, h, layers, config.variance_floor, dropout=config.dropout_heads
            )
        else:
            self.prior = GaussianNetwork(
                z, 0, h, layers, config.variance_floor, in_dim=of_z, dropout=config.dropout_heads
            )
        if networks:
            self.posterior = GaussianNetwork(
                z, a, h, layers, config.variance_floor, in_dim=of_z, dropout=config.dropout_heads
            )
        else:
            self.posterior = TridiagonalPosterior(
                h, z, h, layers, config.variance_floor, dropout=config.dropout_heads
            )
        self.emission = self.emission_network(of_z)

    @property
    def d_dim(self) -> int:
        """There is no d."""
        return 0

    def encode(
        self,
        u: Float[Tensor, "b t u"],
        x: Float[Tensor, "b t x"] | None,
        lengths: Int[Tensor, "b"],
        state: State,  # noqa: ARG002
    ) -> Context:
        """a_{1:T} from x, and its share of the posterior's first layer."""
        d = u[..., :0]
        context = {"d": d, "for_prior": self.prior.project(d)}
        if x is None:
            return context
        features = self.features(x)
        if isinstance(self.posterior, TridiagonalPosterior):
            return {
                **context,
                "for_posterior": self.posterior.project(features.to(d.dtype), lengths),
            }
        a = self.a(features, lengths) if self.config.smoothing else self.a(features)
        return {**context, "for_posterior": self.posterior.project(self.read_d(a))}
