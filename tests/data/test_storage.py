import io
import resource
import tempfile
import weakref

import numpy as np
import pytest

from srnn_lab.data.storage import narrow, on_disk, read_files, widen

ALL_SAMPLES = np.arange(-32768, 32768, dtype=np.int16)


def test_16_bit_samples_are_exact_there_and_back():
    wave = ALL_SAMPLES.astype(np.float32) / 32768
    assert narrow(wave).dtype == np.int16
    np.testing.assert_array_equal(narrow(wave), ALL_SAMPLES)
    assert widen(ALL_SAMPLES).dtype == np.float32
    np.testing.assert_array_equal(widen(ALL_SAMPLES), wave)


def test_finer_samples_are_rounded_to_the_nearest_of_16_bits():
    wave = np.random.default_rng(0).uniform(-1, 0.9999, 1000).astype(np.float32)
    assert narrow(wave).dtype == np.int16
    assert np.abs(widen(narrow(wave)) - wave).max() <= 0.5 / 32768


@pytest.mark.parametrize("peak", [1.0, -1.0001, 3.0])
def test_a_waveform_beyond_full_scale_is_not_clipped(peak):
    wave = np.array([0.1, peak, -0.25], np.float32)
    np.testing.assert_array_equal(widen(narrow(wave)), wave)


def test_a_piano_roll_takes_one_byte_a_note():
    roll = (np.random.default_rng(0).random((50, 88)) < 0.1).astype(np.float32)
    assert narrow(roll).nbytes == roll.size
    assert widen(narrow(roll)).dtype == np.float32
    np.testing.assert_array_equal(widen(narrow(roll)), roll)


def test_arrays_of_all_kinds_come_back_from_a_file_that_leaves_no_name(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    generator = np.random.default_rng(0)
    arrays = [
        generator.integers(-9, 9, 7).astype(np.int16),
        generator.random((3, 5)) < 0.5,
        generator.random(11, np.float32),
        generator.random((4, 80), np.float32),
    ]
    stored = on_disk(range(4), arrays.__getitem__)
    for before, after in zip(arrays, stored, strict=True):
        assert isinstance(after.base, np.memmap)
        assert after.dtype == before.dtype
        assert after.flags.aligned
        np.testing.assert_array_equal(after, before)
    assert list(tmp_path.iterdir()) == []


def test_arrays_are_made_one_at_a_time():
    made = []

    def make(i):
        assert sum(array() is not None for array in made) <= 1
        array = np.full(10, i, np.int16)
        made.append(weakref.ref(array))
        return array

    assert [int(array[0]) for array in on_disk(range(5), make)] == [0, 1, 2, 3, 4]


def test_files_are_read_by_name_and_narrowed(tmp_path):
    paths = {name: tmp_path / name for name in "ab"}
    signals = read_files(
        paths, lambda path: np.full(3, 0.5 if path.name == "a" else -0.5, np.float32)
    )
    assert {name: signal.tolist() for name, signal in signals.items()} == {
        "a": [16384] * 3,
        "b": [-16384] * 3,
    }


def test_a_full_disk_says_which_folder_and_what_to_do(monkeypatch):
    class Full(io.BytesIO):
        def write(self, content):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", Full)
    with pytest.raises(
        OSError, match=rf"folder {tempfile.gettempdir()} \(No space left on device\); .* TMPDIR"
    ):
        on_disk([0], lambda _: np.zeros(3, np.int16))


def test_a_full_disk_is_said_even_if_closing_the_file_fails_too():
    """Which tries again to write what the file's buffer holds."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(
            OSError, match=r"The data do not fit into the temporary folder .* TMPDIR"
        ):
            on_disk([0], lambda _: np.zeros(900, np.int16))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
