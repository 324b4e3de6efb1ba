import warnings

import av
import librosa
import numpy as np
import pytest
import soundfile

from srnn_lab.config import DataConfig
from srnn_lab.data import speech
from srnn_lab.data.frames import Frontend, LazyFrames
from srnn_lab.data.kinds import LOG_FLOOR
from srnn_lab.data.speech import audio_files, blizzard, read_audio, timit, voice, voices

RAW = DataConfig(features="raw")
LOG_MEL = DataConfig(features="log-mel", frame_length=160)
SLOW = DataConfig(features="raw", sample_rate=2000)


def sine(hertz, rate=16000, seconds=0.5, peak=0.5):
    return (peak * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)).astype(
        np.float32
    )


def peak_hertz(wave, rate=16000):
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave)), 16 * len(wave)))
    return spectrum.argmax() * rate / (16 * len(wave))


def as_int16(wave):
    return np.round(32767 * wave).astype("<i2")


def write_sphere(path, wave, rate=16000):
    """NIST SPHERE: a text header of 1024 bytes, then 16-bit samples."""
    header = (
        f"NIST_1A\n   1024\nsample_count -i {len(wave)}\nsample_rate -i {rate}\nchannel_count -i "
        "1\nsample_n_bytes -i 2\nsample_byte_format -s2 01\nsample_sig_bits -i 16\nend_head\n"
    )
    path.write_bytes(header.encode().ljust(1024) + as_int16(wave).tobytes())


def write_g722(path, wave):
    with av.open(str(path), "w", format="g722") as container:
        stream = container.add_stream("g722", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(as_int16(wave)[None], "s16", "mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def with_sample(value):
    wave = sine(440)
    wave[100] = value
    return wave


@pytest.mark.parametrize(
    ("name", "rate", "subtype"),
    [
        ("a.wav", 16000, "PCM_16"),
        ("a.wav", 8000, "PCM_16"),
        ("a.wav", 96000, "PCM_24"),
        ("a.wav", 44100, "FLOAT"),
        ("a.wav", 48000, "PCM_U8"),
        ("A.WAV", 16000, "PCM_24"),
        ("a.flac", 16000, "PCM_16"),
        ("a.ogg", 16000, "VORBIS"),
        ("a.mp3", 16000, "MPEG_LAYER_III"),
        ("a.aiff", 22050, "PCM_16"),
        ("a.au", 16000, "PCM_16"),
    ],
)
def test_audio_keeps_its_pitch_level_and_length_at_16_khz(tmp_path, name, rate, subtype):
    soundfile.write(tmp_path / name, sine(440, rate), rate, subtype)
    wave = read_audio(tmp_path / name, 16000)
    assert (wave.dtype, wave.ndim) == (np.float32, 1)
    assert abs(len(wave) - 8000) <= 1
    assert abs(peak_hertz(wave) - 440) < 1
    assert abs(np.abs(wave[2000:6000]).max() - 0.5) < 0.03


@pytest.mark.parametrize(
    ("name", "write"), [("a.g722", write_g722), ("a.wav", write_sphere)], ids=["g722", "sphere"]
)
def test_g722_and_sphere_are_read(tmp_path, name, write):
    write(tmp_path / name, sine(440))
    wave = read_audio(tmp_path / name, 16000)
    assert abs(len(wave) - 8000) <= 1
    assert abs(peak_hertz(wave) - 440) < 1
    assert abs(np.abs(wave[2000:6000]).max() - 0.5) < 0.03


def test_16_bit_samples_are_exact(tmp_path):
    samples = np.array([1, -32768, 32767, 0], np.int16)
    soundfile.write(tmp_path / "a.wav", samples, 16000)
    np.testing.assert_array_equal(
        read_audio(tmp_path / "a.wav", 16000), samples.astype(np.float32) / 32768
    )


def test_channels_are_averaged(tmp_path):
    left, right = sine(440), sine(1000, peak=0.25)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], 1), 16000, "FLOAT")
    np.testing.assert_allclose(read_audio(tmp_path / "a.wav", 16000), (left + right) / 2, atol=1e-7)


@pytest.mark.parametrize("offset", [-3277, 100, 4096])
def test_the_offset_of_a_sound_card_is_removed_and_16_bit_samples_stay_exact(tmp_path, offset):
    samples = as_int16(sine(440, seconds=0.51))
    waves = []
    for added in (0, offset):
        soundfile.write(tmp_path / "a.wav", (samples + added).astype(np.int16), 16000)
        waves.append(read_audio(tmp_path / "a.wav", 16000))
    np.testing.assert_array_equal(*waves)
    expected = samples / np.float32(32768) - np.round(samples.mean()) / np.float32(32768)
    np.testing.assert_array_equal(waves[0], expected)


def test_each_channel_loses_its_own_offset_before_resampling(tmp_path):
    left, right = sine(440, 8000), sine(1000, 8000, peak=0.25)
    soundfile.write(tmp_path / "a.wav", np.stack([left + 0.2, right - 0.1], 1), 8000, "FLOAT")
    soundfile.write(tmp_path / "b.wav", np.stack([left, right], 1), 8000, "FLOAT")
    shifted, plain = (read_audio(tmp_path / name, 16000) for name in ("a.wav", "b.wav"))
    np.testing.assert_allclose(shifted, plain, atol=2 / 32768)


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("a.wav", lambda path: path.touch(), "is empty"),
        ("a.g722", lambda path: path.touch(), "is empty"),
        (
            "a.wav",
            lambda path: path.write_text("These are words.\n" * 20),
            "cannot be read as audio",
        ),
        (
            "a.mp3",
            lambda path: path.write_text("These are words.\n" * 20),
            "cannot be read as audio",
        ),
        ("a.raw", lambda path: path.write_bytes(bytes(100)), "cannot be read as audio"),
        ("a.wav", lambda path: soundfile.write(path, sine(440)[:0], 16000), "holds no samples"),
        ("a.wav", lambda path: soundfile.write(path, np.zeros(8000), 16000), "is silent"),
        ("a.flac", lambda path: soundfile.write(path, np.zeros(8000), 16000), "is silent"),
        (
            "a.wav",
            lambda path: soundfile.write(path, np.full(8000, 0.2501), 16000, "PCM_24"),
            "is silent",
        ),
        (
            "a.wav",
            lambda path: soundfile.write(path, with_sample(np.nan), 16000, "FLOAT"),
            "has samples that are not finite",
        ),
        (
            "a.wav",
            lambda path: soundfile.write(path, with_sample(np.inf), 16000, "FLOAT"),
            "has samples that are not finite",
        ),
    ],
)
def test_unusable_audio_is_refused_by_name(tmp_path, name, make, message):
    make(tmp_path / name)
    with pytest.raises(ValueError, match=f"{name} {message}"):
        read_audio(tmp_path / name, 16000)


def test_missing_audio_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"a\.wav does not exist"):
        read_audio(tmp_path / "a.wav", 16000)


@pytest.mark.parametrize(
    ("name", "write"), [("a.g722", write_g722), ("a.wav", write_sphere)], ids=["g722", "sphere"]
)
def test_too_long_audio_is_refused(tmp_path, name, write):
    write(tmp_path / name, sine(440, seconds=3))
    with pytest.raises(ValueError, match=f"{name} lasts 3 s; at most 1 s are read"):
        read_audio(tmp_path / name, 16000, max_seconds=1)


def test_many_channels_count_as_long(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.tile(sine(440)[:400, None], 500), 16000)
    assert len(read_audio(tmp_path / "a.wav", 16000, max_seconds=2)) == 400
    with pytest.raises(
        ValueError, match=r"a\.wav has 400 samples in each of 500 channels, too many"
    ):
        read_audio(tmp_path / "a.wav", 16000, max_seconds=1)


def cut(path, size):
    path.write_bytes(path.read_bytes()[:size])


@pytest.mark.parametrize(("suffix", "header"), [("wav", 44), ("aiff", 54), ("au", 24)])
def test_what_is_left_of_a_truncated_file_is_read_with_a_warning(tmp_path, suffix, header):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, sine(440), 16000, "PCM_16")
    whole = read_audio(path, 16000)
    cut(path, header + 2 * 3200)  # whole periods, so that both have no offset
    with pytest.warns(
        UserWarning,
        match=rf"a\.{suffix} is truncated: 3200 of about (8000|799\d) samples were read",
    ):
        wave = read_audio(path, 16000)
    np.testing.assert_array_equal(wave, whole[:3200])


@pytest.mark.parametrize(
    ("name", "size"), [("a.wav", 10), ("a.wav", 30), ("a.wav", 44), ("a.flac", 30), ("a.ogg", 200)]
)
def test_file_cut_within_its_header_is_refused(tmp_path, name, size):
    soundfile.write(tmp_path / name, sine(440), 16000)
    cut(tmp_path / name, size)
    with pytest.raises(ValueError, match=f"{name} (cannot be read as audio|holds no samples)"):
        read_audio(tmp_path / name, 16000)


def test_sphere_file_cut_within_its_header_is_refused(tmp_path):
    write_sphere(tmp_path / "a.wav", sine(440))
    cut(tmp_path / "a.wav", 500)
    with pytest.raises(ValueError, match=r"a\.wav cannot be read as audio"):
        read_audio(tmp_path / "a.wav", 16000)


def test_wav_written_to_a_pipe_is_not_called_truncated(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, sine(440), 16000, "PCM_16")
    content = bytearray(path.read_bytes())
    # What ffmpeg writes as the sizes that it does not know yet.
    content[4:8] = content[40:44] = b"\xff" * 4
    path.write_bytes(content)
    assert len(read_audio(path, 16000)) == 8000


def test_raw_frames_are_consecutive_samples_standardised_over_the_fitted_signals():
    signals = [0.1 + sine(440, seconds=0.1), sine(1000, seconds=0.2, peak=0.1)]
    frontend = Frontend.fit(RAW, 200, signals)
    frames = [frontend.frames(signal, 200) for signal in signals]
    joined = np.concatenate(signals)
    for signal, part in zip(signals, frames, strict=True):
        expected = (signal.reshape(-1, 200) - joined.mean()) / joined.std()
        np.testing.assert_allclose(part, expected, atol=1e-5)
    assert abs(np.concatenate(frames).mean()) < 1e-5
    assert abs(np.concatenate(frames).std() - 1) < 1e-5


@pytest.mark.parametrize(("config", "x_dim"), [(RAW, 200), (LOG_MEL, 80)], ids=["raw", "log-mel"])
def test_mean_and_deviation_are_those_of_all_frames_joined(config, x_dim):
    generator = np.random.default_rng(0)
    signals = [
        (0.3 + 0.1 * generator.standard_normal(n)).astype(np.float32)
        for n in (600, 3333, 8000, 1000)
    ]
    plain = Frontend(config, np.zeros((), np.float32), np.ones((), np.float32))
    joined = np.concatenate([plain.frames(signal, x_dim) for signal in signals]).astype(np.float64)
    axis = None if config is RAW else 0
    frontend = Frontend.fit(config, x_dim, signals)
    for found, expected in ((frontend.mean, joined.mean(axis)), (frontend.std, joined.std(axis))):
        assert (found.dtype, found.shape) == (np.float32, expected.shape)
        np.testing.assert_array_equal(found, expected.astype(np.float32))


@pytest.mark.parametrize(("config", "x_dim"), [(RAW, 200), (LOG_MEL, 80)], ids=["raw", "log-mel"])
def test_16_bit_samples_give_the_frames_of_the_waveform(config, x_dim):
    samples = np.random.default_rng(0).integers(-32768, 32768, 8000).astype(np.int16)
    wave = samples.astype(np.float32) / 32768
    frontends = [Frontend.fit(config, x_dim, [signal]) for signal in (samples, wave)]
    np.testing.assert_array_equal(
        *(f.frames(s, x_dim) for f, s in zip(frontends, (samples, wave), strict=True))
    )


def test_a_part_of_the_frames_is_that_part_of_all_frames():
    config = DataConfig(features="log-mel", frame_length=4, window_length=16)
    samples = as_int16(0.3 * np.random.default_rng(0).standard_normal(4 * 20_100).clip(-3, 3))
    frontend = Frontend(config, np.full(4, -3, np.float32), np.full(4, 2, np.float32))
    lazy, whole = LazyFrames(frontend, samples, 4), frontend.frames(samples, 4)
    assert len(lazy) == len(whole) == 20_097
    for part in (slice(0, 1), slice(9_990, 10_060), slice(20_096, None), slice(20_000, 99_999)):
        np.testing.assert_array_equal(lazy[part], whole[part])


def test_raw_frames_turn_back_into_the_waveform_without_its_tail():
    signal = sine(440)[:1234]
    frontend = Frontend.fit(RAW, 200, [signal])
    np.testing.assert_allclose(
        frontend.waveform(frontend.frames(signal, 200)), signal[:1200], atol=1e-6
    )


@pytest.mark.parametrize("hertz", [200, 1000, 5000])
def test_log_mel_of_a_sine_peaks_at_its_own_bin(hertz):
    frontend = Frontend(LOG_MEL, np.zeros(80, np.float32), np.ones(80, np.float32))
    frames = frontend.frames(sine(hertz), 80)
    assert frames.shape == (1 + (8000 - 512) // 160, 80)
    centres = librosa.mel_frequencies(82, fmax=8000)[1:-1]
    assert set(frames.argmax(1)) == {np.abs(centres - hertz).argmin()}


def test_log_mel_equals_librosa_with_a_floor():
    signal = read_audio(sorted(audio_files(speech.BUNDLED_VOICE).values())[0], 16000)[:8000]
    frontend = Frontend(LOG_MEL, np.zeros(80, np.float32), np.ones(80, np.float32))
    energies = librosa.feature.melspectrogram(
        y=signal, sr=16000, n_fft=512, hop_length=160, center=False, n_mels=80
    )
    np.testing.assert_allclose(
        frontend.frames(signal, 80), np.log(energies.T + LOG_FLOOR), atol=1e-3
    )


def test_log_mel_frames_have_mean_0_and_deviation_1_in_each_bin():
    signals = list(np.random.default_rng(0).standard_normal((2, 8000)).astype(np.float32))
    frontend = Frontend.fit(LOG_MEL, 80, signals)
    frames = np.concatenate([frontend.frames(signal, 80) for signal in signals])
    np.testing.assert_allclose(frames.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(frames.std(0), 1, atol=1e-4)


def test_inverted_log_mel_has_the_energies_asked_for_and_is_repeatable():
    signal = read_audio(speech.BUNDLED_VOICE / "vm-password.flac", 16000)
    frontend = Frontend.fit(LOG_MEL, 80, [signal])
    frames = frontend.frames(signal, 80)
    wave = frontend.waveform(frames)
    assert len(wave) == 512 + 160 * (len(frames) - 1)
    assert np.abs(frontend.frames(wave, 80) - frames).mean() < 0.2
    np.testing.assert_array_equal(wave, frontend.waveform(frames))


def test_inverted_log_mel_is_as_loud_at_its_ends_as_elsewhere():
    signal = 0.1 * np.random.default_rng(0).standard_normal(16000).astype(np.float32)
    frontend = Frontend.fit(LOG_MEL, 80, [signal])
    wave = frontend.waveform(frontend.frames(signal, 80))
    for part in (wave[:80], wave[-80:], wave):
        assert 0.05 < part.std() < 0.2


@pytest.mark.parametrize(
    ("config", "x_dim", "width"), [(RAW, 200, 200), (LOG_MEL, 80, 512)], ids=["raw", "log-mel"]
)
def test_signal_shorter_than_a_frame_is_refused(config, x_dim, width):
    frontend = Frontend(config, np.zeros((), np.float32), np.ones((), np.float32))
    assert len(frontend.frames(sine(440)[:width], x_dim)) == 1
    with pytest.raises(
        ValueError,
        match=rf"{width - 1} samples at 16000 Hz, fewer than one frame \({width} samples\)",
    ):
        frontend.frames(sine(440)[: width - 1], x_dim)


@pytest.mark.parametrize(
    ("config", "signal", "message"),
    [
        (RAW, np.zeros((10, 88), np.float32), "trained on audio and was given MIDI"),
        (LOG_MEL, np.zeros((10, 88), np.float32), "trained on audio and was given MIDI"),
        (DataConfig(), sine(440), "trained on MIDI and was given audio"),
    ],
)
def test_signal_of_the_wrong_kind_is_refused(config, signal, message):
    frontend = Frontend(config, np.zeros((), np.float32), np.ones((), np.float32))
    with pytest.raises(ValueError, match=message):
        frontend.frames(signal, 88)


def test_piano_rolls_pass_unchanged():
    roll = np.eye(88, dtype=np.float32)
    assert Frontend.fit(DataConfig(), 88, [roll]).frames(roll, 88) is roll


def test_constant_values_cannot_be_standardised():
    with pytest.raises(ValueError, match="same in all training frames"):
        Frontend.fit(RAW, 200, [np.full(1000, 0.3, np.float32)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # librosa's, of empty filters
        with pytest.raises(ValueError, match="smaller x_dim or a longer window_length"):
            Frontend.fit(LOG_MEL, 400, [sine(440)])


@pytest.mark.parametrize(
    ("config", "expected"),
    [(RAW, [0.00625, 0.01875]), (LOG_MEL, [0.016, 0.026]), (DataConfig(), [0.25, 0.75])],
    ids=["raw", "log-mel", "roll"],
)
def test_times_are_the_middles_of_the_frames(config, expected):
    frontend = Frontend(config, np.zeros((), np.float32), np.ones((), np.float32))
    np.testing.assert_allclose(frontend.times(2), expected)


def write_timit(root, lower):
    """Eight TRAIN and two TEST speakers, two sentences each, every file again as NAME.WAV.wav."""
    speakers = {"TRAIN": [f"FA{i}" for i in range(8)], "TEST": ["MB0", "MB1"]}
    for part, names in speakers.items():
        for i, speaker in enumerate(names):
            for sentence in ("SX1.WAV", "SX2.WAV"):
                path = f"{part}/DR{i % 2 + 1}/{speaker}/{sentence}"
                path = root / "timit" / (path.lower() if lower else path)
                path.parent.mkdir(parents=True, exist_ok=True)
                write_sphere(path, sine(440, 2000), 2000)
                soundfile.write(path.with_name(path.name + ".wav"), sine(880, 2000), 2000)


@pytest.mark.parametrize("lower", [False, True], ids=["upper case", "lower case"])
def test_timit_keeps_its_test_set_and_no_speaker_stands_in_two_splits(tmp_path, lower):
    write_timit(tmp_path, lower)
    splits = {split: timit(SLOW, split, tmp_path) for split in ("train", "valid", "test")}
    assert [len(waves) for waves in splits.values()] == [14, 2, 4]
    speakers = {
        split: {name.split("/")[-2].upper() for name in waves} for split, waves in splits.items()
    }
    assert speakers["test"] == {"MB0", "MB1"}
    assert speakers["valid"] == {"FA7"}  # by its hash, however the copy writes the name
    assert speakers["train"] == {f"FA{i}" for i in range(8)} - speakers["valid"]
    assert all(
        abs(peak_hertz(wave, 2000) - 440) < 1
        for waves in splits.values()
        for wave in waves.values()
    )


def test_timit_without_its_layout_is_refused(tmp_path):
    (tmp_path / "timit" / "TRAIN" / "DR1").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="holds no file that ends in"):
        timit(SLOW, "train", tmp_path)
    write_sphere(tmp_path / "timit" / "TRAIN" / "DR1" / "SX1.WAV", sine(440))
    with pytest.raises(FileNotFoundError, match="timit has no folder TEST"):
        timit(SLOW, "train", tmp_path)


@pytest.mark.parametrize(("read", "name"), [(timit, "timit"), (blizzard, "blizzard")])
def test_licensed_data_say_where_to_put_them(tmp_path, read, name):
    for data_dir in (None, tmp_path):
        with pytest.raises(
            FileNotFoundError, match=f"into the folder {name} below .* --data-dir or SRNN_LAB_DATA"
        ):
            read(SLOW, "train", data_dir)


def test_blizzard_is_split_by_file_and_scored_in_half_seconds(tmp_path):
    folder = tmp_path / "blizzard" / "book"
    folder.mkdir(parents=True)
    for i in range(40):
        soundfile.write(folder / f"{i:02d}.wav", sine(100 + i, 2000, seconds=1.3), 2000, "FLOAT")
    splits = {split: blizzard(SLOW, split, tmp_path) for split in ("train", "valid", "test")}
    assert [len(waves) for waves in splits.values()] == [36, 4, 4]
    assert {len(wave) for wave in splits["train"].values()} == {2600}
    assert {len(wave) for split in ("valid", "test") for wave in splits[split].values()} == {1000}
    files = [{name[: len("book/00")] for name in waves} for waves in splits.values()]
    assert len(set.union(*files)) == sum(map(len, files)) == 40
    for name, wave in splits["test"].items():
        book, chunk = name.split("-")
        whole = sine(100 + int(book[-2:]), 2000, seconds=1.3)
        whole -= np.round(32768 * whole.mean(dtype=float)) / 32768
        np.testing.assert_array_equal(wave, np.round(32768 * whole[int(chunk) * 1000 :][:1000]))
        assert isinstance(wave.base.base, np.memmap)  # chunks are views of the recording on disk


def write_prompts(root, names, folder="voice"):
    generator = np.random.default_rng(0)
    for name in names:
        path = root / folder / f"{name}.g722"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(generator.bytes(400))  # any bytes are G.722


def test_voice_test_split_is_bundled_whatever_the_data_folder_holds(tmp_path):
    write_prompts(tmp_path, [f"prompt{i}" for i in range(60)])
    without, given = (voice(RAW, "test", data_dir) for data_dir in (None, tmp_path))
    assert list(without) == list(given)
    assert len(without) == 27
    assert "tt-monkeys" not in without
    for name, wave in without.items():
        np.testing.assert_array_equal(given[name], wave)


def test_voice_without_its_prompts_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(speech, "SOUNDS", tmp_path / "none")
    for data_dir in (None, tmp_path):
        with pytest.raises(
            FileNotFoundError,
            match=r"Install.*asterisk-core-sounds-en-g722, or put its .g722 files",
        ):
            voice(RAW, "train", data_dir)


def test_voice_splits_are_disjoint_complete_and_without_tones_and_silence(tmp_path, monkeypatch):
    prompts = [*(f"prompt{i}" for i in range(50)), *(f"digits/{i}" for i in range(10))]
    write_prompts(
        tmp_path, [*prompts, "silence/1", "silence/10", "beep", "confbridge-join", "auth-thankyou"]
    )
    soundfile.write(tmp_path / "voice" / "prompt0.wav", sine(440, 8000), 8000)
    monkeypatch.setattr(speech, "BUNDLED_VOICE", tmp_path / "none")
    splits = [voice(RAW, split, tmp_path) for split in ("train", "valid", "test")]
    assert [len(waves) for waves in splits] == [54, 3, 3]
    assert sorted(name for waves in splits for name in waves) == sorted(prompts)
    assert {len(wave) for waves in splits for wave in waves.values()} == {800}


def test_voice_never_trains_on_a_bundled_prompt(tmp_path):
    bundled = audio_files(speech.BUNDLED_VOICE)
    write_prompts(tmp_path, [*bundled, *(f"prompt{i}" for i in range(100))])
    for split in ("train", "valid"):
        names = set(voice(RAW, split, tmp_path))
        assert names
        assert not names & set(bundled)


def write_voices(root, names):
    for language in ("en", "es", "fr", "it", "ru"):
        write_prompts(root, names, f"voices/{language}")


def test_five_voices_are_split_each_and_the_english_one_as_voice(tmp_path, monkeypatch):
    names = [*(f"prompt{i}" for i in range(30)), "tt-monkeys", "beep", "silence/1"]
    write_prompts(tmp_path, names)
    write_voices(tmp_path, [*names, "pbx-invalid", "vm-and", "spy-iax2", "is", "auth-thankyou"])
    monkeypatch.setattr(speech, "BUNDLED_VOICE", tmp_path / "none")
    repeated = {
        "es": {"pbx-invalid", "vm-and"},
        "fr": {"pbx-invalid", "vm-and"},
        "it": {"spy-iax2"},
        "ru": {"is"},
    }
    seen = []
    for split in ("train", "valid", "test"):
        found = voices(RAW, split, tmp_path)
        assert {name.split("/")[0] for name in found} == {"en", "es", "fr", "it", "ru"}
        assert not any(name.endswith(("monkeys", "beep", "silence/1")) for name in found)
        seen += found
    for language in ("en", "es", "fr", "it", "ru"):
        left_out = repeated.get(language, {"auth-thankyou"})
        spoken = {
            *(f"prompt{i}" for i in range(30)),
            "pbx-invalid",
            "vm-and",
            "spy-iax2",
            "is",
            "auth-thankyou",
        }
        own = [
            name.removeprefix(f"{language}/") for name in seen if name.startswith(f"{language}/")
        ]
        assert sorted(own) == sorted(spoken - left_out)


def test_a_model_of_five_voices_never_saw_a_test_prompt_of_voice(tmp_path):
    bundled = audio_files(speech.BUNDLED_VOICE)
    write_voices(tmp_path, [*bundled, *(f"prompt{i}" for i in range(100))])
    test = voices(RAW, "test", tmp_path)
    assert {name for name in test if name.startswith("en/")} == {f"en/{name}" for name in bundled}
    for name, wave in voice(RAW, "test", None).items():
        np.testing.assert_array_equal(test[f"en/{name}"], wave)
    for split in ("train", "valid"):
        english = {
            name.removeprefix("en/")
            for name in voices(RAW, split, tmp_path)
            if name.startswith("en/")
        }
        assert english
        assert not english & set(bundled)


def test_english_prompts_stand_in_the_same_split_of_voice_and_voices(tmp_path):
    names = [f"prompt{i}" for i in range(60)]
    write_prompts(tmp_path, names)
    write_voices(tmp_path, names)
    for split in ("train", "valid", "test"):
        english = {name for name in voices(RAW, split, tmp_path) if name.startswith("en/")}
        assert english == {f"en/{name}" for name in voice(RAW, split, tmp_path)}


def test_voices_without_a_language_say_which(tmp_path, monkeypatch):
    monkeypatch.setattr(speech, "SOUNDS", tmp_path / "none")
    write_voices(tmp_path, [f"prompt{i}" for i in range(30)])
    (tmp_path / "voices" / "fr").rename(tmp_path / "voices" / "de")
    with pytest.raises(
        FileNotFoundError, match=r"asterisk-core-sounds-fr-g722, or put .* folder voices/fr below"
    ):
        voices(RAW, "train", tmp_path)
