"""What do the states know of the phones?

A linear classifier reads z's posterior mean, d, both, or log-mel energies.
"""

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from tqdm import tqdm

from srnn_lab.checkpoint import Checkpoint
from srnn_lab.config import DataConfig
from srnn_lab.data import LABELLED, Frontend, Labels, load_labels, load_split, make_batch, widen
from srnn_lab.data.kinds import LogMel
from srnn_lab.data.phones import phone_kind
from srnn_lab.data.sequences import by_length
from srnn_lab.inference.bounds import draw_noise, infer
from srnn_lab.system.extras import optional_packages

MEL_BINS = 80
"""Log-mel energies of a frame that are read instead of a model's states."""
BATCH = 8
"""Sentences side by side."""
MAX_ITERATIONS = 100
"""Of the classifier's optimiser; three times as many change an accuracy by at most 0.003."""


@dataclass(frozen=True)
class Recognition:
    """How well phones are told from one kind of features, on test frames.

    Attributes:
        accuracy: Share of the frames whose phone is right.
        macro_f1: F1 of each phone that occurs in the test frames, averaged over the phones.
        speech_accuracy: Accuracy over the frames that are no pause.
    """

    accuracy: float
    macro_f1: float
    speech_accuracy: float


@dataclass(frozen=True)
class Probe:
    """The recognition from each kind of features, and what it was trained and tested on.

    Attributes:
        of: By name: ``z``, ``d``, ``z and d`` (of what the model has), ``log-mel``, and
            ``majority``, which always says the most frequent phone.
        phones: Different phones in the training frames.
        train_sentences, train_frames: What the classifiers were trained on; of a cross-validation,
        once.
        test_sentences, test_frames: What they were tested on.
        cross_validated: Whether each sentence was the test sentence in turn.
    """

    of: dict[str, Recognition]
    phones: int
    train_sentences: int
    train_frames: int
    test_sentences: int
    test_frames: int
    cross_validated: bool

    def figures(self) -> dict[str, float]:
        """The recognition on one level, such as ``z/accuracy``."""
        return {
            f"{name}/{key}": value
            for name, known in self.of.items()
            for key, value in asdict(known).items()
        }


@dataclass(frozen=True)
class PhoneFrames:
    """Labelled frames of some sentences.

    Attributes:
        features: Of each frame, by the kind of features.
        phones: The phone of each frame.
        sentences: The number of the sentence of each frame.
    """

    features: dict[str, Float[np.ndarray, "n _"]]
    phones: np.ndarray
    sentences: Int[np.ndarray, "n"]

    def of(self, chosen: np.ndarray) -> "PhoneFrames":
        """The chosen frames."""
        features = {name: values[chosen] for name, values in self.features.items()}
        return PhoneFrames(features, self.phones[chosen], self.sentences[chosen])


class Sentences(NamedTuple):
    """Recordings and their labels, by name."""

    signals: dict[str, np.ndarray]
    labels: dict[str, Labels]


def labelled_data(trained_on: str) -> str:
    """What a probe takes by default: the model's own data, if they may have labels, or reader."""
    return trained_on if trained_on in LABELLED or Path(trained_on).is_dir() else "reader"


def load_sentences(data: DataConfig, split: str, data_dir: str | Path | None = None) -> Sentences:
    """The recordings of a split that have labels.

    Args:
        data: The data set or folder.
        split: ``train``, ``valid`` or ``test``; of a folder also ``all``.
        data_dir: Folder of the data sets' files.

    Returns:
        Signals and labels by the name of the recording.

    Raises:
        ValueError: There is none.
        FileNotFoundError: The split is not there.
    """
    labels = load_labels(data, split, data_dir)
    signals = {
        name: signal for name, signal in load_split(data, split, data_dir).items() if name in labels
    }
    if not signals:
        raise ValueError(f"No recording of {data.data} ({split}) has a file with labels beside it.")
    return Sentences(signals, labels)


def choose_minutes(
    signals: Mapping[str, np.ndarray], rate: int, minutes: int
) -> dict[str, np.ndarray]:
    """Choose whole sentences that last so long together, by name: the same on every machine.

    Args:
        signals: Waveforms by name.
        rate: Samples a second.
        minutes: How long they last together, at least; all are taken if they are shorter.

    Returns:
        The chosen waveforms, in their order.
    """
    order = sorted(signals, key=lambda name: hashlib.sha256(f"probe/{name}".encode()).digest())
    before = np.cumsum([0, *(len(signals[name]) for name in order)])[:-1]
    chosen = {
        name for name, start in zip(order, before, strict=True) if start < 60 * minutes * rate
    }
    return {name: signal for name, signal in signals.items() if name in chosen}


@torch.inference_mode()
def phone_frames(
    checkpoint: Checkpoint,
    signals: Mapping[str, np.ndarray],
    labels: Mapping[str, Labels],
    seed: int = 0,
) -> PhoneFrames:
    """A model's states along one posterior path, and log-mel energies, of the frames with a label.

    Args:
        checkpoint: A model of audio.
        signals: Waveforms.
        labels: Of each of them.
        seed: Seed of the path.

    Returns:
        The labelled frames of one sentence after the other. Their features are ``z`` (posterior
        means), ``d``, ``z and d`` (of these, what the model has) and ``log-mel``.

    Raises:
        ValueError: The model is one of music, or no frame has a label.
    """
    config, model, frontend = checkpoint.config, checkpoint.model, checkpoint.frontend
    if config.data.kind.notes:
        raise ValueError(
            "The model is one of music; phones are told from the states of a model of audio."
        )
    names = list(signals)
    frames = frontend.sequences([signals[name] for name in names], config.model.x_dim)
    # The states and phones of each sentence, in batches of like length.
    generator, device = torch.Generator().manual_seed(seed), next(model.parameters()).device
    parts: dict[int, tuple[dict[str, np.ndarray], np.ndarray]] = {}
    for batch_of in tqdm(
        by_length(frames, BATCH), "Sentences", unit=" batches", delay=2, leave=False
    ):
        batch = make_batch([frames[i] for i in batch_of], config.evaluation.first_frame)
        noise = draw_noise(model, batch, generator)
        with model.evaluating():
            trace = infer(model, batch.to(device), noise.to(device))
        states = {"z": trace.posterior.mu.cpu().numpy(), "d": trace.d.cpu().numpy()}
        for row, i in enumerate(batch_of):
            length = int(batch.lengths[row])
            own = {
                name: values[row, :length] for name, values in states.items() if values.shape[-1]
            }
            own[LogMel.name] = centred_mel(signals[names[i]], checkpoint)[-length:]
            times = frontend.times(len(frames[i]))[-length:]
            parts[i] = own, np.array(labels[names[i]].at(times), object)
    # One after the other in their order, without the frames that have no label.
    phones = np.concatenate([parts[i][1] for i in range(len(names))]).astype(str)
    labelled = phones != ""
    if not labelled.any():
        raise ValueError("No frame of the recordings has a label.")
    features = {
        name: np.concatenate([parts[i][0][name] for i in range(len(names))]) for name in parts[0][0]
    }
    if {"z", "d"} <= features.keys():
        features["z and d"] = np.concatenate([features["z"], features["d"]], 1)
    sentences = np.repeat(np.arange(len(names)), [len(parts[i][1]) for i in range(len(names))])
    return PhoneFrames(features, phones, sentences).of(labelled)


def centred_mel(signal: np.ndarray, checkpoint: Checkpoint) -> Float[np.ndarray, "t m"]:
    """Log-mel energies of windows around the middles of the model's frames."""
    data = checkpoint.config.data
    as_mel = Frontend.plain(replace(data, features=LogMel.name))
    margin = data.window_length - data.window
    return as_mel.frames(np.pad(widen(signal), (margin // 2, margin - margin // 2)), MEL_BINS)


def probe_split(train: PhoneFrames, test: PhoneFrames) -> Probe:
    """Train on the frames of training sentences and test on those of others."""
    guessed = {name: _predict(train, test, name) for name in train.features}
    return _probe(train, test, guessed, _majority(train, test), cross_validated=False)


def probe_sentences(frames: PhoneFrames) -> Probe:
    """Each sentence is the test sentence in turn, and the others those for training.

    Returns:
        The recognition over the frames of all sentences. No frame is guessed by a classifier that
        was trained on its sentence.

    Raises:
        ValueError: There are fewer than two.
    """
    sentences = np.unique(frames.sentences)
    if len(sentences) < 2:
        raise ValueError(
            f"{len(sentences)} labelled recordings are too few; the probe needs two at least."
        )
    guessed = {name: np.empty_like(frames.phones) for name in frames.features}
    majority = np.empty_like(frames.phones)
    for sentence in sentences:
        held_out = frames.sentences == sentence
        train, test = frames.of(~held_out), frames.of(held_out)
        majority[held_out] = _majority(train, test)
        for name in guessed:
            guessed[name][held_out] = _predict(train, test, name)
    return _probe(frames, frames, guessed, majority, cross_validated=True)


def _predict(train: PhoneFrames, test: PhoneFrames, name: str) -> np.ndarray:
    """The phones of test frames, by multinomial logistic regression on standardised features."""
    with optional_packages():
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=MAX_ITERATIONS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return classifier.fit(train.features[name], train.phones).predict(test.features[name])


def _majority(train: PhoneFrames, test: PhoneFrames) -> np.ndarray:
    names, counts = np.unique(train.phones, return_counts=True)
    return np.full_like(test.phones, names[counts.argmax()])


def _probe(
    train: PhoneFrames,
    test: PhoneFrames,
    guessed: Mapping[str, np.ndarray],
    majority: np.ndarray,
    *,
    cross_validated: bool,
) -> Probe:
    spoken = np.array([phone_kind(name) != "pause" for name in test.phones])
    return Probe(
        of={
            name: recognition(test.phones, phones, spoken)
            for name, phones in {**guessed, "majority": majority}.items()
        },
        phones=len(np.unique(train.phones)),
        train_sentences=len(np.unique(train.sentences)) - cross_validated,
        train_frames=len(train.phones),
        test_sentences=len(np.unique(test.sentences)),
        test_frames=len(test.phones),
        cross_validated=cross_validated,
    )


def recognition(phones: np.ndarray, guessed: np.ndarray, spoken: np.ndarray) -> Recognition:
    """Accuracy and macro F1 of guessed phones.

    Args:
        phones: The phones.
        guessed: What was guessed.
        spoken: Which frames are no pause.

    Returns:
        Shares from 0 to 1. The accuracy over speech is 0 if every frame is a pause.
    """
    right = phones == guessed
    # F1 is the share of right ones in the mean of how often a phone occurs and how often it is
    # guessed.
    scores = [
        2 * right[phones == name].sum() / ((phones == name).sum() + (guessed == name).sum())
        for name in np.unique(phones)
    ]
    return Recognition(
        float(right.mean()),
        float(np.mean(scores)),
        float(right[spoken].mean()) if spoken.any() else 0.0,
    )
