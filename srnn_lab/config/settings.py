"""The settings of model, data, training and evaluation: frozen dataclasses of plain values."""

import re
import reprlib
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, Literal, get_args, get_origin

from srnn_lab.data.frame_kind import FrameKind, KindName, Values
from srnn_lab.data.kinds import KINDS, Roll


def option(default: Any, help: str, *, only: dict[str, tuple[Any, ...]] | None = None) -> Any:
    """A dataclass field with its help, and where it counts.

    Args:
        default: Its default.
        help: The sentence that documents it in ``srnn-lab train --help``.
        only: Another setting, and its values with which this one has an effect. Models, likelihoods
            and kinds of frames say themselves which settings they read.

    Returns:
        What a class body assigns to the setting; its help and where it counts are in the metadata.
    """
    return field(default=default, metadata={"help": help, "only": only or {}})


def parse_bound(name: str) -> tuple[str, int]:
    """The name of a bound -> its kind and its number of paths.

    Such names are ``elbo``, ``iwae:128``, ``fivo:128`` and ``ess:128``.

    Returns:
        The kind, and the number of paths K (1 for ``elbo``).

    Raises:
        ValueError: It is no such name.
    """
    if name == "elbo":
        return name, 1
    if not re.fullmatch(r"(iwae|fivo|ess):[1-9][0-9]{0,5}", name):
        raise ValueError(
            f"The bound {reprlib.repr(name)} is unknown; choose elbo, iwae:K, fivo:K or ess:K, "
            "with K from 1 to 999999."
        )
    kind, paths = name.split(":")
    return kind, int(paths)


LARGEST = {int: 2**53, float: 1e38}
"""Largest settings: whole numbers that are exact as 64-bit floats too, and numbers that a 32-bit
float holds."""


def _check(config: Any, **conditions: bool) -> None:
    for name, holds in conditions.items():
        if not holds:
            found = getattr(config, name)
            meaning = next(f.metadata["help"] for f in fields(config) if f.name == name)
            raise ValueError(
                f"{type(config).__name__}.{name} is {reprlib.repr(found)}, which is out of its "
                f"range: {meaning}"
            )
    for f in fields(config):
        value = getattr(config, f.name)
        if f.type in LARGEST and not abs(value) <= LARGEST[f.type]:
            kind = "whole" if f.type is int else "finite"
            raise ValueError(
                f"{type(config).__name__}.{f.name} is {reprlib.repr(value)}; expected a {kind} "
                f"number of at most {LARGEST[f.type]}."
            )
        check_choice(type(config), f.name, f.type, value)


def check_choice(kind: type, name: str, expected: Any, value: Any) -> None:
    """Check that a setting that is one of a few words is one of them.

    Args:
        kind: The section of the configuration that has the setting.
        name: The setting.
        expected: Its type; only a ``Literal`` is checked.
        value: Its value.

    Raises:
        ValueError: The value is none of the words.
    """
    if get_origin(expected) is Literal and value not in get_args(expected):
        raise ValueError(
            f"{kind.__name__}.{name} is {reprlib.repr(value)}; choose one of "
            f"{', '.join(get_args(expected))}."
        )


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Architecture and sizes; the paper's symbols, Section 3 and appendix A."""

    model: str = option(
        "srnn",
        "Name of the model, such as srnn or vrnn. A wrong name lists all of them.",
    )
    likelihood: str = option(
        "bernoulli",
        (
            "Name of the distribution p(x_t | z_t, d_t), such as bernoulli or gaussian. A wrong "
            "name lists all of them."
        ),
    )
    x_dim: int = option(88, "Values in one frame x_t; at least 1.")
    d_dim: int = option(300, "Units of the GRU whose state is d_t, and of a_t; at least 1.")
    z_dim: int = option(100, "Dimensions of the latent state z_t; at least 1.")
    hidden_dim: int = option(500, "Units in each hidden layer of every network; at least 1.")
    num_layers: int = option(
        1, "Hidden layers of each network of prior and posterior, and of phi_z; from 1 to 100."
    )
    emission_layers: int = option(
        0,
        "Hidden layers of the emission and of a filtering a; 0: as many as num_layers; at most "
        "100.",
    )
    features_z: Literal["auto", "on", "off"] = option(
        "auto",
        "phi_z, a network between z and everything that reads it (the gated transition reads z "
        "itself). auto: on in vrnn and vrnn-i, as in the code of the VRNN's authors, and off in "
        "all others.",
    )
    posterior: Literal["networks", "tridiagonal"] = option(
        "networks",
        "q(z_t | z_{t-1}, a_t) of Eq. (10) by networks of z_{t-1} and of a_t (networks), or one "
        "Gaussian over all frames with a block-tridiagonal precision (tridiagonal, Archer et al.).",
    )
    smoothing: bool = option(
        True,
        "a is a backward GRU over [d, x] (Eq. 7); otherwise a feed-forward network (filtering).",
        only={"posterior": ("networks",)},
    )
    residual: bool = option(
        True,
        "Res_q: the posterior mean is the prior mean plus a correction (Eq. 12).",
        only={"posterior": ("networks",)},
    )
    gated_transition: bool = option(
        False, "dkf: the gated transition of the deep Markov model (Krishnan et al.)."
    )
    num_components: int = option(20, "Components of a gaussian-mixture likelihood; at least 1.")
    ar_order: int = option(
        16,
        "gaussian-ar, student-t-ar, conv-ar: earlier values that predict a value; from 1 to 64.",
    )
    ar_past: Literal["none", "taps", "predictor"] = option(
        "none",
        "gaussian-ar, student-t-ar: how the frame before, u_t, helps to predict a frame. none: "
        "not at all. taps: the first values are predicted from its last ones. predictor: in "
        "addition, the network corrects the best linear predictor of u_t, in units of its error.",
    )
    ar_adaptive: bool = option(
        False,
        "gaussian-ar, student-t-ar: the scale of a value follows earlier residuals (ARCH).",
    )
    student_df: float = option(
        4.0,
        "student-t, student-t-ar, conv-ar: degrees of freedom; fewer make heavier tails. Above 2.",
    )
    conv_channels: int = option(
        16, "conv-ar: channels of the convolutions over the values of a frame; at least 1."
    )
    variance_floor: float = option(1e-6, "Added to each variance; 0 or more.")
    missing: bool = option(
        False,
        "series: values may be missing (NaN); networks read which ones are known. The data decide.",
    )
    stand_in: Literal["zero", "mean"] = option(
        "zero",
        "series: what stands in u for a missing value of x_{t-1}: 0, the mean of the training set, "
        "or the mean that the model gives it.",
    )
    u_dim: int = option(
        0,
        "series: number of known inputs, which have a network of their own. The data decide.",
    )
    missing_inputs: bool = option(
        False,
        "series: known inputs may be missing (NaN), as values may. The data decide.",
    )
    feedback: bool = option(
        True,
        "u_t contains x_{t-1}; otherwise it contains known inputs alone, or nothing.",
    )
    centred_inputs: bool = option(
        False, "Subtract the training set's mean from u and x before the feature extractor."
    )
    dropout_features: float = option(
        0.0, "Share of the features of u and x set to zero in training; in [0, 1)."
    )
    dropout_d: float = option(
        0.0, "The same for d and a where other networks read them; in [0, 1)."
    )
    dropout_heads: float = option(
        0.0, "The same for the hidden layers of prior and posterior; in [0, 1)."
    )
    dropout_emission: float = option(
        0.0,
        (
            "The same for z and the hidden layers of the emission network, which says p(x_t | "
            "z_t, d_t); in [0, 1)."
        ),
    )

    def __post_init__(self):
        if self.missing and self.centred_inputs:
            raise ValueError(
                "ModelConfig.centred_inputs is True; where values are missing, 0 stands for them: "
                "leave it out."
            )
        sizes = {f.name: getattr(self, f.name) >= 1 for f in fields(self) if f.type is int}
        dropout = ("dropout_features", "dropout_d", "dropout_heads", "dropout_emission")
        shares = {name: 0 <= getattr(self, name) < 1 for name in dropout}
        sizes["u_dim"] = self.u_dim >= 0
        sizes["num_layers"] = 1 <= self.num_layers <= 100
        sizes["emission_layers"] = 0 <= self.emission_layers <= 100
        sizes["ar_order"] = 1 <= self.ar_order <= 64
        _check(
            self,
            **sizes,
            **shares,
            student_df=self.student_df > 2,
            variance_floor=self.variance_floor >= 0,
        )

    @property
    def frames_hold(self) -> dict[str, Any]:
        """What a batch must know of frames: missing values, and the known inputs after them."""
        return {
            "missing": self.missing,
            "u_dim": self.u_dim,
            "missing_inputs": self.missing_inputs,
        }


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which data, and what one frame of it is."""

    data: str = option(
        "fraccaro/jsb",
        "Data set, or folder of MIDI, audio or table files. A wrong name lists all sets.",
    )
    features: KindName = option(  # noqa: RUF009 (a dataclass field)
        Roll.name,
        "One frame: 88 notes (roll), consecutive samples of the waveform (raw), log-mel energies "
        "(log-mel), a row of a table (series).",
    )
    sample_rate: int = option(
        16000, "Samples a second that audio is resampled to; at least 1000, at most 192000."
    )
    frame_length: int = option(
        200,
        "Samples from one frame to the next: the frame itself (raw), the hop (log-mel), no longer "
        "than its window; at least 1, at most 192000.",
    )
    window_length: int = option(
        512,
        "Samples of the Hann window of a log-mel frame, and of the search for onsets; 1 to 8192.",
    )
    frames_per_quarter: int = option(
        2, "Frames in a quarter note, when MIDI files are read; at least 1, at most 480."
    )
    dither: bool = option(
        False,
        "Add triangular noise of one 16-bit step to each sample of a data set: on digital "
        "silence, a density has no upper limit.",
    )
    dither_seed: int = option(
        0,
        "Seed of this noise, beside the name of the recording; from 0 to 2^32 - 1.",
        only={"dither": (True,)},
    )

    values: Values = option(  # noqa: RUF009 (a dataclass field)
        "real",
        (
            "series: what the values are: real numbers (real), 0 or 1 (binary), whole numbers "
            "from 0 on (count), or one column of categories (category)."
        ),
    )
    columns: str = option(
        "",
        "series: names of the columns to read, joined by commas. Empty: all, in their order.",
    )
    inputs: str = option(
        "",
        "series: columns that are inputs u_t, known for the future too; names joined by commas.",
    )
    sequence_column: str = option(
        "",
        "series: column that says to which sequence a row belongs. Empty: a file is one sequence.",
    )
    time_step: float = option(1.0, "series: time from one row to the next; above 0.")
    time_unit: str = option("steps", "series: the unit of time_step, such as hours.")

    def __post_init__(self):
        _check(
            self,
            time_step=self.time_step > 0,
            sample_rate=1000 <= self.sample_rate <= 192_000,
            frame_length=1 <= self.frame_length <= 192_000,
            window_length=1 <= self.window_length <= 8192,
            frames_per_quarter=1 <= self.frames_per_quarter <= 480,
            dither_seed=0 <= self.dither_seed < 2**32,
        )

    @cached_property
    def kind(self) -> FrameKind:
        """The kind of frames, with its settings."""
        kind = KINDS[self.features]
        return kind(**{f.name: getattr(self, f.name) for f in fields(kind)})

    @property
    def window(self) -> int:
        """Samples that one frame covers; 1 for a piano roll, which comes in frames."""
        return self.kind.window

    @property
    def hop(self) -> int:
        """Samples from one frame to the next; 1 for a piano roll."""
        return self.kind.hop

    @property
    def rate(self) -> int | float:
        """Samples a second; of piano rolls, frames a quarter note; of tables, rows a time unit."""
        return self.kind.rate


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Optimisation: appendix A of the paper and what the authors' code adds to it."""

    objective: Literal["elbo", "iwae", "fivo", "nasmc"] = option(
        "elbo",
        "Bound to maximise: one sampled path with the KL in closed form (elbo), "
        "importance-weighted paths (iwae), or a particle filter, whose resampling carries no "
        "score-function term in the gradient (fivo). nasmc: the same filter, to whose weighted "
        "particles model and posterior are fitted.",
    )
    num_particles: int = option(
        4,
        "Paths of iwae, particles of fivo and nasmc; elbo has one path. From 1 to 999999.",
        only={"objective": ("iwae", "fivo", "nasmc")},
    )
    resampling: Literal["systematic", "multinomial"] = option(
        "systematic", "How fivo and nasmc draw the particles that are kept when they resample."
    )
    resampling_share: float = option(
        0.5,
        (
            "fivo and nasmc resample when the effective sample size falls below this share of the "
            "particles; in [0, 1]."
        ),
    )
    epochs: int = option(50, "Passes over the training set; at least 1.")
    batch_size: int = option(
        16, "Streams or sequences that are trained on side by side; at least 1."
    )
    segment_length: int = option(
        100, "Frames of one update: truncated back-propagation through time; at least 1."
    )
    whole_sequences: bool = option(
        False,
        "Start each sequence from zero states, as in the evaluation; otherwise all are joined "
        "into one stream, as in the code of the SRNN's authors.",
    )
    segments_per_reset: int = option(
        0, "Number of segments of a stream after which d and z are reset to zero; 0: once an epoch."
    )
    transposition: int = option(
        0,
        (
            "Random transposition: semitones, up or down, drawn for each sequence of notes in "
            "each epoch; 0 to 12."
        ),
    )
    learning_rate: float = option(1e-3, "Step size of Adam; above 0.")
    adam_epsilon: float = option(1e-8, "Epsilon of Adam; above 0.")
    learning_rate_decay: float = option(
        1.0, "Factor on the learning rate in each epoch after learning_rate_decay_start; in (0, 1]."
    )
    learning_rate_decay_start: int = option(
        0, "Epoch after which the learning rate decays; 0 or more."
    )
    kl_weight_start: float = option(
        0.2,
        (
            "Weight of the KL term (iwae, fivo: of log q - log p in the log weights) at the first "
            "update; in [0, 1]."
        ),
        only={"objective": ("elbo", "iwae", "fivo")},
    )
    kl_weight_updates: int = option(
        0,
        "Updates over which the weight grows linearly to 1; 0: it is 1 throughout.",
        only={"objective": ("elbo", "iwae", "fivo")},
    )
    free_bits: float = option(
        0.0,
        (
            "Nats of a frame's KL that cost nothing in training, so that z is used (elbo only); 0 "
            "or more."
        ),
    )
    start_from_mean: bool = option(
        False,
        "Initialise the emission's last bias by the mean (and variance) of the training set.",
    )
    weight_decay: float = option(
        0.0,
        "AdamW: an update shrinks each weight by this share, times the learning rate; 0 or more.",
    )
    gradient_norm: float = option(
        1.0,
        "Largest norm of the gradient; a longer one is scaled down to it. Above 0.",
    )
    precision: Literal["auto", "fp32", "bf16"] = option(
        "auto",
        "Precision of matrix products in training; auto: bf16 on hardware that is made for it. "
        "Evaluation and a GPU's GRU are always fp32, whose products torch lets cuDNN round to "
        "TF32.",
    )
    seed: int = option(
        1, "Seed of the weights, of the noise and of the order of the data; from 0 to 2^32 - 1."
    )

    def __post_init__(self):
        _check(
            self,
            num_particles=1 <= self.num_particles <= 999_999,
            resampling_share=0 <= self.resampling_share <= 1,
            epochs=self.epochs >= 1,
            batch_size=self.batch_size >= 1,
            segment_length=self.segment_length >= 1,
            segments_per_reset=self.segments_per_reset >= 0,
            learning_rate=self.learning_rate > 0,
            adam_epsilon=self.adam_epsilon > 0,
            learning_rate_decay=0 < self.learning_rate_decay <= 1,
            learning_rate_decay_start=self.learning_rate_decay_start >= 0,
            kl_weight_start=0 <= self.kl_weight_start <= 1,
            kl_weight_updates=self.kl_weight_updates >= 0,
            transposition=0 <= self.transposition <= 12,
            free_bits=self.free_bits == 0 or (self.free_bits > 0 and self.objective == "elbo"),
            weight_decay=self.weight_decay >= 0,
            gradient_norm=self.gradient_norm > 0,
            seed=0 <= self.seed < 2**32,
        )

    @property
    def bound(self) -> str:
        """The objective as the name of a bound; of nasmc, that of its estimate."""
        if self.objective == "elbo":
            return self.objective
        return f"{self.objective.replace('nasmc', 'fivo')}:{self.num_particles}"


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """The convention behind a score; scores of different conventions never share a column."""

    average: Literal["micro", "macro", "sequence"] = option(
        "micro",
        "micro: all nats / all frames; macro: nats per frame of each sequence, then their mean; "
        "sequence: nats of each sequence, then their mean.",
    )
    first_frame: bool = option(
        True, "Score x_1 too, given u_1 = 0; otherwise x_1 is only an input."
    )

    def __post_init__(self):
        _check(self)

    @property
    def unscored(self) -> int:
        """Frames at the beginning of a sequence that are only inputs: 0 or 1."""
        return 0 if self.first_frame else 1

    @property
    def unit(self) -> str:
        """The unit of a score."""
        return "nats per sequence" if self.average == "sequence" else "nats per frame"


CONVENTIONS = {
    "srnn-music": EvaluationConfig(average="macro", first_frame=False),
    "srnn-speech": EvaluationConfig(average="sequence", first_frame=False),
    "field-music": EvaluationConfig(average="micro", first_frame=True),
}
"""How the SRNN paper (music, speech) and the rest of the field (music) make a number."""
