"""Emission distributions p(x_t | z_t, d_t): what a network's outputs mean, frame by frame."""

from srnn_lab.models.likelihoods.autoregressive import GaussianAR, StudentTAR
from srnn_lab.models.likelihoods.base import Likelihood
from srnn_lab.models.likelihoods.binary import NADE, Bernoulli
from srnn_lab.models.likelihoods.convolutional import ConvAR
from srnn_lab.models.likelihoods.count import Categorical, NegativeBinomial, Poisson
from srnn_lab.models.likelihoods.real import Gaussian, GaussianMixture, StudentT
from srnn_lab.system.plugins import Registry

LIKELIHOODS: Registry[type[Likelihood]] = Registry(
    "srnn_lab.likelihoods",
    Likelihood,
    {
        "bernoulli": Bernoulli,
        "gaussian": Gaussian,
        "gaussian-mixture": GaussianMixture,
        "student-t": StudentT,
        "gaussian-ar": GaussianAR,
        "student-t-ar": StudentTAR,
        "conv-ar": ConvAR,
        "nade": NADE,
        "poisson": Poisson,
        "negative-binomial": NegativeBinomial,
        "categorical": Categorical,
    },
)
"""Name in a configuration -> class; the only list of likelihoods, which other packages may lengthen
by entry points."""

__all__ = [
    "LIKELIHOODS",
    "NADE",
    "Bernoulli",
    "Categorical",
    "ConvAR",
    "Gaussian",
    "GaussianAR",
    "GaussianMixture",
    "Likelihood",
    "NegativeBinomial",
    "Poisson",
    "StudentT",
    "StudentTAR",
]
