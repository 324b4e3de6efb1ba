"""Stochastic recurrent neural networks (SRNN; Fraccaro et al., 2016): train, inspect, hear.

The paper's symbols, as the code and its results name them; B sequences, T frames, batch-major:

================== =========== =====================================================================
Name               Shape       Meaning
================== =========== =====================================================================
x                  (B, T, X)   observations: one frame each
u                  (B, T, X)   inputs, u_t = x_{t-1}
d                  (B, T, D)   deterministic states of the GRU, d_t = GRU(d_{t-1}, u_t)
a                  (B, T, D)   what q reads: backward GRU over [d_t, x_t], or NN(d_t, x_t)
z                  (B, T, Z)   latent states, drawn
mu_p, logvar_p     (B, T, Z)   prior p(z_t | z_{t-1}, d_t): mean and log-variance
mu_q, logvar_q     (B, T, Z)   posterior q(z_t | z_{t-1}, a_t): mean and log-variance
log_px             (B, T)      log p(x_t | z_t, d_t), in nats
kl                 (B, T)      KL(q(z_t | ...) || p(z_t | ...)), in nats
lengths            (B,)        valid frames of each sequence; what follows is padding
x_dim d_dim z_dim              sizes X, D and Z of a frame, of d and a, and of z
hidden_dim                     units in each hidden layer of the networks
================== =========== =====================================================================

A bare name is a whole sequence, ``_t`` one step, ``_tm1`` the step before it.

The names in ``__all__`` are imported when they are first used, so that ``srnn-lab --help`` need not
wait for torch. Drawing from a model is ``srnn_lab.inference.sampling.generate``.
"""

import importlib
import importlib.metadata
from typing import TYPE_CHECKING, Any

from srnn_lab.system.lazy import found_in

if TYPE_CHECKING:  # what an editor sees; the names below say where each is found at run time
    from srnn_lab.analysis.elsewhere import to_arviz
    from srnn_lab.analysis.imputation import impute
    from srnn_lab.analysis.inspection import inspect_signal
    from srnn_lab.analysis.transitions import measure_transitions
    from srnn_lab.checkpoint import Checkpoint, list_checkpoints, load_checkpoint, save_checkpoint
    from srnn_lab.config import (
        CONVENTIONS,
        PRESETS,
        DataConfig,
        EvaluationConfig,
        ModelConfig,
        RunConfig,
        TrainConfig,
    )
    from srnn_lab.data import DATASETS, Batch, Frontend, load_split, make_batch, read_signal
    from srnn_lab.inference.bounds import Bound, SequenceBound, elbo, fivo, iwae
    from srnn_lab.inference.evaluation import Score, evaluate
    from srnn_lab.inference.forecasting import forecast
    from srnn_lab.models import MODELS, SequenceModel, build_model
    from srnn_lab.models.likelihoods import LIKELIHOODS
    from srnn_lab.training.fitting import fit

__version__: str

_HOMES = {
    "analysis.elsewhere": ("to_arviz",),
    "analysis.imputation": ("impute",),
    "analysis.inspection": ("inspect_signal",),
    "analysis.transitions": ("measure_transitions",),
    "checkpoint": ("Checkpoint", "list_checkpoints", "load_checkpoint", "save_checkpoint"),
    "config": (
        "CONVENTIONS",
        "PRESETS",
        "DataConfig",
        "EvaluationConfig",
        "ModelConfig",
        "RunConfig",
        "TrainConfig",
    ),
    "data": ("DATASETS", "Batch", "Frontend", "load_split", "make_batch", "read_signal"),
    "inference.bounds": ("Bound", "SequenceBound", "elbo", "fivo", "iwae"),
    "inference.evaluation": ("Score", "evaluate"),
    "inference.forecasting": ("forecast",),
    "models": ("MODELS", "SequenceModel", "build_model"),
    "models.likelihoods": ("LIKELIHOODS",),
    "training.fitting": ("fit",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}
_find = found_in(__name__, _HOMES)

__all__ = [
    "CONVENTIONS",
    "DATASETS",
    "LIKELIHOODS",
    "MODELS",
    "PRESETS",
    "Batch",
    "Bound",
    "Checkpoint",
    "DataConfig",
    "EvaluationConfig",
    "Frontend",
    "ModelConfig",
    "RunConfig",
    "Score",
    "SequenceBound",
    "SequenceModel",
    "TrainConfig",
    "build_model",
    "elbo",
    "evaluate",
    "fit",
    "fivo",
    "forecast",
    "impute",
    "inspect_signal",
    "iwae",
    "list_checkpoints",
    "load_checkpoint",
    "load_split",
    "make_batch",
    "measure_transitions",
    "read_signal",
    "save_checkpoint",
    "to_arviz",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        try:
            return importlib.metadata.version("srnn-lab")
        except importlib.metadata.PackageNotFoundError:  # a checkout that nobody installed
            return ""
    if name == "plots":  # the charts, by the name that they had
        from srnn_lab.system.extras import optional_packages

        with optional_packages():
            return importlib.import_module(f"{__name__}.pictures.charts")
    return _find(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
