import warnings
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from tiny import RATE, music_run, speech_run, untrained

from srnn_lab.analysis import probe
from srnn_lab.analysis.probe import (
    PhoneFrames,
    centred_mel,
    choose_minutes,
    phone_frames,
    probe_sentences,
    probe_split,
    recognition,
)
from srnn_lab.checkpoint import save_checkpoint
from srnn_lab.cli import main
from srnn_lab.data import Labels, festvox
from srnn_lab.reports.records import read_results

SCORES = {part: {"elbo": -1.0, "average": "micro"} for part in ("valid", "test")} | {"epoch": 1}
PHONES = {"pau": 0, "a": 200, "s": 800}
"""Phones that are told by their frequency."""


def sentence(seed, names=("pau", "a", "s", "a", "pau", "s")):
    """A tone of 0.1 s for each phone, and the labels."""
    rng, t = np.random.default_rng(seed), np.arange(RATE // 10) / RATE
    names = [names[i] for i in rng.permutation(len(names))]
    wave = np.concatenate([0.3 * np.sin(2 * np.pi * PHONES[name] * t) for name in names])
    wave = (wave + 1e-3 * rng.normal(size=len(wave))).astype(np.float32)
    return wave, Labels(np.arange(len(names) + 1) / 10, (*names, ""))


def sentences(*seeds):
    made = {f"s{seed}": sentence(seed) for seed in seeds}
    return {name: wave for name, (wave, _) in made.items()}, {
        name: labels for name, (_, labels) in made.items()
    }


def test_recognition_equals_scikit_learn():
    from sklearn.metrics import accuracy_score, f1_score

    rng = np.random.default_rng(0)
    phones, guessed = rng.choice(list("abcd"), 200), rng.choice(list("abce"), 200)
    spoken = phones != "a"
    found = recognition(phones, guessed, spoken)
    assert found.accuracy == pytest.approx(accuracy_score(phones, guessed))
    present = f1_score(phones, guessed, average="macro", labels=np.unique(phones), zero_division=0)
    assert found.macro_f1 == pytest.approx(present)
    assert found.speech_accuracy == pytest.approx(accuracy_score(phones[spoken], guessed[spoken]))


@pytest.mark.parametrize("features", ["raw", "log-mel"])
def test_frames_have_the_phone_at_their_middle_and_the_states_of_their_sentence(features):
    tested = untrained(speech_run(features=features))
    signals, labels = sentences(1, 2, 3)
    frames = phone_frames(tested, signals, labels)
    model = tested.config.model
    sizes = {
        "z": model.z_dim,
        "d": model.d_dim,
        "log-mel": 80,
        "z and d": model.z_dim + model.d_dim,
    }
    assert {name: values.shape[1] for name, values in frames.features.items()} == sizes
    assert (
        {len(values) for values in frames.features.values()}
        == {len(frames.phones)}
        == {len(frames.sentences)}
    )
    np.testing.assert_array_equal(
        frames.features["z and d"][:, : model.z_dim], frames.features["z"]
    )
    alone = phone_frames(tested, {"s2": signals["s2"]}, labels)
    np.testing.assert_array_equal(frames.phones[frames.sentences == 1], alone.phones)
    np.testing.assert_allclose(
        frames.features["log-mel"][frames.sentences == 1], alone.features["log-mel"]
    )
    np.testing.assert_allclose(
        frames.features["d"][frames.sentences == 1], alone.features["d"], atol=1e-5
    )
    times = tested.frontend.times(
        1 + (len(signals["s2"]) - tested.config.data.window) // tested.config.data.hop
    )
    assert alone.phones.tolist() == labels["s2"].at(times[-len(alone.phones) :])


def test_the_log_mel_energies_of_raw_frames_are_those_around_their_middle():
    tested = untrained(speech_run())
    data = tested.config.data
    wave, _ = sentence(1)
    mel = centred_mel(wave, tested)
    assert len(mel) == 1 + (len(wave) - data.window) // data.hop
    as_mel = untrained(speech_run(features="log-mel"))
    plain = replace(as_mel.frontend, mean=np.zeros((), np.float32), std=np.ones((), np.float32))
    middle, start = 10, 10 * data.hop + data.window // 2 - data.window_length // 2
    np.testing.assert_allclose(
        mel[middle], plain.frames(wave[start : start + data.window_length], 80)[0], rtol=1e-5
    )


def test_phones_that_differ_in_frequency_are_told_from_log_mel_and_the_majority_is_the_baseline():
    tested = untrained(speech_run())
    train, test = (
        phone_frames(tested, *sentences(*range(4))),
        phone_frames(tested, *sentences(8, 9)),
    )
    found = probe_split(train, test)
    assert found.of["log-mel"].accuracy > 0.8
    counts = {name: int((train.phones == name).sum()) for name in PHONES}
    most = max(counts, key=counts.get)
    assert found.of["majority"].accuracy == pytest.approx((test.phones == most).mean())
    assert (found.phones, found.train_sentences, found.test_sentences, found.cross_validated) == (
        3,
        4,
        2,
        False,
    )
    assert (found.train_frames, found.test_frames) == (len(train.phones), len(test.phones))
    assert found.figures()["log-mel/accuracy"] == found.of["log-mel"].accuracy


def test_no_sentence_is_tested_on_what_it_taught():
    """Features that name the sentence, not the phone: whoever saw the sentence is always right."""
    phones = np.repeat(np.array(["a", "s", "pau"]), 20)
    sentences = np.repeat([0, 1, 2], 20)
    features = {"log-mel": np.eye(3, dtype=np.float32)[sentences]}
    found = probe_sentences(PhoneFrames(features, phones, sentences))
    assert found.of["log-mel"].accuracy == 0
    assert (found.cross_validated, found.train_sentences, found.test_sentences) == (True, 2, 3)
    with pytest.raises(ValueError, match="1 labelled recordings are too few"):
        probe_sentences(PhoneFrames(features, phones, np.zeros(60, int)))


def test_a_model_without_latent_variables_is_probed_in_d_alone_and_one_of_music_not_at_all():
    run = speech_run()
    rnn = untrained(replace(run, model=replace(run.model, model="rnn")))
    assert list(phone_frames(rnn, *sentences(1)).features) == ["d", "log-mel"]
    with pytest.raises(ValueError, match="model is one of music"):
        phone_frames(untrained(music_run()), *sentences(1))
    with pytest.raises(ValueError, match="No frame of the recordings has a label"):
        phone_frames(rnn, {"s": sentence(1)[0]}, {"s": Labels(np.zeros(1), ("",))})


def test_sentences_are_chosen_whole_and_by_name_until_the_minutes_are_full():
    signals = {f"s{i}": np.zeros(60 * 10) for i in range(20)}  # a minute each
    chosen = choose_minutes(signals, 10, 3)
    assert len(chosen) == 3
    assert choose_minutes(dict(reversed(signals.items())), 10, 3).keys() == chosen.keys()
    assert choose_minutes(signals, 10, 4).keys() > chosen.keys()
    assert len(choose_minutes(signals, 10, 99)) == 20


def test_without_scikit_learn_the_command_says_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    frames = phone_frames(untrained(speech_run()), *sentences(1, 2))
    with pytest.raises(
        ValueError,
        match=r"scikit-learn, which is not installed; "
        r"install it with: pip install 'srnn-lab\[probe\]'",
    ):
        probe_split(frames, frames)


@pytest.fixture
def labelled(tmp_path):
    """A folder with labelled sentences and a model of them."""
    for i in range(20):
        wave, labels = sentence(i)
        soundfile.write(tmp_path / f"{i}.wav", wave, RATE)
        rows = zip(labels.times[:-1], labels.times[1:], labels.names, strict=False)
        (tmp_path / f"{i}.lab").write_text(
            "".join(f"{a:.3f} {b:.3f} {name}\n" for a, b, name in rows)
        )
    save_checkpoint(untrained(speech_run(str(tmp_path)), scores=SCORES), tmp_path / "a.safetensors")
    return tmp_path


def test_the_command_probes_a_folder_and_records_a_row(labelled, capsys):
    file = labelled / "results.jsonl"
    given = ["probe", str(labelled / "a.safetensors"), "--record", str(file), "--row=other/a"]
    assert main(given) == 0
    assert "log-mel  accuracy" in capsys.readouterr().out
    (result,) = read_results(file).values()
    assert (result.command, result.sequences, result.figures["minutes"]) == ("probe", 1, 10)
    assert result.figures["log-mel/accuracy"] > result.figures["majority/accuracy"]
    assert result.measure == "srnn-lab probe runs/other-a/best.safetensors --record --row=other/a"
    assert main([*given, "--minutes=1"]) == 0
    assert "--minutes=1 --record" in read_results(file)["other/a"].measure


def test_without_the_package_the_bundled_sentences_are_each_tested_in_turn(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(festvox, "PACKAGE", tmp_path / "none")
    monkeypatch.setattr(probe, "MAX_ITERATIONS", 2)
    run = speech_run()
    run = replace(run, data=replace(run.data, sample_rate=16000))
    save_checkpoint(untrained(run), tmp_path / "a.safetensors")
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        assert main(["probe", str(tmp_path / "a.safetensors"), "--json"]) == 0
    out, err = capsys.readouterr()
    assert '"test_sentences": 4' in out
    assert '"cross_validated": true' in out
    assert "the 4 bundled sentences of the 31" in err
    assert "each of the 4 sentences is tested with a classifier trained on the others" in err
