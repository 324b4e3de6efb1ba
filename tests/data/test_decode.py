"""Audio files as people have them: joined, cut off, streamed, from pipes and crashed recorders."""

import io
import os
import struct
import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from srnn_lab.data import decode
from srnn_lab.data.notices import collect_notices
from srnn_lab.data.speech import read_audio

RATE = 48000
SECONDS = 1.5


def sine(hertz, rate=RATE, seconds=0.5, peak=0.4):
    return (peak * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)).astype(
        np.float32
    )


def tones(rate=RATE):
    """A low tone, a pause and a high tone: 1.5 s, so that a part that is not heard is missed."""
    return np.concatenate([sine(400, rate), np.zeros(rate // 2, np.float32), sine(900, rate)])


def encoded(form, codec, wave=None, rate=RATE, options=None, sample="fltp"):
    """``wave`` in a container, by FFmpeg."""
    wave, content = tones(rate) if wave is None else wave, io.BytesIO()
    with av.open(content, "w", format=form, options=options or {}) as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        stream.codec_context.time_base = Fraction(1, rate)
        to_sample = av.AudioResampler(
            sample, "mono", rate, frame_size=stream.codec_context.frame_size or 1024
        )
        frame = av.AudioFrame.from_ndarray(wave[None], "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        for part in (*to_sample.resample(frame), *to_sample.resample(None), None):
            container.mux(stream.encode(part))
    return content.getvalue()


def written(form, subtype, wave=None, rate=RATE):
    content = io.BytesIO()
    soundfile.write(content, tones(rate) if wave is None else wave, rate, subtype, format=form)
    return content.getvalue()


def ogg_pages(content):
    while content:
        length = 27 + content[26] + sum(content[27 : 27 + content[26]])
        yield content[:length]
        content = content[length:]


def ogg_checksum(page):
    value = 0
    for byte in page:
        value ^= byte << 24
        for _ in range(8):
            value = value << 1 ^ (0x104C11DB7 if value & 0x80000000 else 0)
    return struct.pack("<I", value)


def one_ogg_stream(*parts):
    """Streams in the pages of one, the headers of the later ones among its sound: as remuxed."""
    pages, end, joined = [page for part in parts for page in ogg_pages(part)], 0, b""
    for i, page in enumerate(pages):
        kind = 2 * (i == 0) + 4 * (i == len(pages) - 1)  # the first page, the last one
        position = end + struct.unpack_from("<q", page, 6)[0]
        of_all = {5: bytes([kind]), 6: struct.pack("<q", position), 14: pages[0][14:18]}
        page = patched(page, {**of_all, 18: struct.pack("<I", i), 22: bytes(4)})
        joined += patched(page, {22: ogg_checksum(page)})
        end = position if pages[i][5] & 4 else end
    return joined


def patched(content, places):
    content = bytearray(content)
    for place, value in places.items():
        content[place : place + len(value)] = value
    return bytes(content)


def flac_of_unknown_length():
    content = written("FLAC", "PCM_16")
    return patched(content, {21: bytes([content[21] & 0xF0]), 22: bytes(4)})


def caf_through_a_pipe():
    """As by libsndfile: two headers without a size, the samples, and the header it would change."""
    content = written("CAF", "PCM_16")
    data = content.index(b"data") + 16  # after its size and the number of its edits
    begun = patched(content[:data], {data - 12: struct.pack(">q", 4)})
    return begun + begun + content[data : data + 2 * round(RATE * SECONDS)] + content[:data]


def w64_through_a_pipe():
    content = written("W64", "PCM_16")
    data = content.index(b"data\xf3\xac\xd3\x11") + 24
    begun = patched(content[:data], {16: bytes(8), data - 8: struct.pack("<Q", 24)})
    return begun + begun + content[data:] + content[:data]


def aiff_through_a_pipe():
    """As sox writes it: a size that no file has."""
    content = written("AIFF", "PCM_16")
    common, sound = content.index(b"COMM"), content.index(b"SSND")
    huge = struct.pack(">I", 0x7F000000)
    return patched(content, {4: huge, common + 10: huge, sound + 4: huge})


def wav_of_a_crashed_recorder():
    content = written("WAV", "PCM_16")
    return patched(content, {4: bytes(4), 40: bytes(4)})


MP3_WITHOUT_LENGTH = {"write_xing": "0", "id3v2_version": "0"}
COMPLETE = {
    "variable-rate.mp3": lambda: encoded(
        "mp3", "libmp3lame", options={**MP3_WITHOUT_LENGTH, "q": "2"}, sample="s16p"
    ),
    "length-in-tag.mp3": lambda: encoded("mp3", "libmp3lame", sample="s16p"),
    "zeros-first.mp3": lambda: (
        bytes(5000) + encoded("mp3", "libmp3lame", options=MP3_WITHOUT_LENGTH, sample="s16p")
    ),
    "tag-last.mp3": lambda: (
        encoded("mp3", "libmp3lame", options=MP3_WITHOUT_LENGTH, sample="s16p")
        + b"TAG"
        + bytes(125)
    ),
    "a.ogg": lambda: written("OGG", "VORBIS"),
    "a.opus": lambda: written("OGG", "OPUS"),
    "joined-in-one-stream.opus": lambda: one_ogg_stream(
        *(written("OGG", "OPUS", half) for half in np.split(tones(), 2))
    ),
    "flac.ogg": lambda: encoded("ogg", "flac", sample="s16"),
    "unknown-length.flac": flac_of_unknown_length,
    "known-length.flac": lambda: written("FLAC", "PCM_16"),
    "pipe.aiff": aiff_through_a_pipe,
    "pipe.caf": caf_through_a_pipe,
    "pipe.w64": w64_through_a_pipe,
    "crashed.wav": wav_of_a_crashed_recorder,
    "gsm.wav": lambda: written("WAV", "GSM610", rate=8000),
    "g721.wav": lambda: written("WAV", "G721_32", rate=8000),
    "a.m4a": lambda: encoded("ipod", "aac"),
    "named.wav": lambda: encoded("ipod", "aac"),
    "a.aac": lambda: encoded("adts", "aac"),
    "a.webm": lambda: encoded("webm", "libopus", sample="flt"),
    "mp3-inside.wav": lambda: encoded("wav", "libmp3lame", sample="s16p"),
}


def loudest_hertz(wave, rate=16000):
    return np.abs(np.fft.rfft(wave * np.hanning(len(wave)))).argmax() * rate / len(wave)


def check_tones(wave, seconds=SECONDS, begins=0.0):
    assert abs(len(wave) / 16000 - seconds) < 0.05
    first, pause, second = (wave[round(16000 * (begins + t)) :][:4000] for t in (0.1, 0.65, 1.1))
    assert abs(loudest_hertz(first) - 400) < 10
    assert abs(loudest_hertz(second) - 900) < 10
    assert first.std() > 5 * pause.std()  # GSM and G.721 hiss


@pytest.mark.parametrize("name", COMPLETE)
def test_the_whole_of_a_complete_file_is_heard_without_a_word(tmp_path, name):
    (tmp_path / name).write_bytes(COMPLETE[name]())
    with collect_notices() as notices:
        wave = read_audio(tmp_path / name, 16000)
    check_tones(wave)
    assert notices == []


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100])
def test_an_mp3_that_states_no_delay_begins_where_its_sound_does(tmp_path, rate):
    content = encoded(
        "mp3", "libmp3lame", tones(rate), rate, options=MP3_WITHOUT_LENGTH, sample="s16p"
    )
    (tmp_path / "a.mp3").write_bytes(content)
    wave = read_audio(tmp_path / "a.mp3", 16000)
    check_tones(wave)
    assert np.corrcoef(wave[2400:7400], sine(400, 16000)[2400:7400])[0, 1] > 0.95


@pytest.mark.parametrize(
    "name", ["length-in-tag.mp3", "variable-rate.mp3", "a.ogg", "a.opus", "flac.ogg", "a.aac"]
)
def test_each_part_of_joined_streams_is_heard(tmp_path, name):
    part = COMPLETE[name]()
    (tmp_path / name).write_bytes(part + part)
    with collect_notices() as notices:
        wave = read_audio(tmp_path / name, 16000)
    check_tones(wave[: len(wave) // 2])
    check_tones(wave[len(wave) // 2 :])
    assert notices == []


def test_joined_streams_of_two_rates_keep_their_pitch(tmp_path):
    mp3 = [
        encoded("mp3", "libmp3lame", tones(rate), rate, sample="s16p") for rate in (44100, 22050)
    ]
    ogg = [written("OGG", "VORBIS", tones(rate), rate) for rate in (44100, 22050)]
    for parts in (mp3, ogg):
        (tmp_path / "a.mp3").write_bytes(b"".join(parts))
        wave = read_audio(tmp_path / "a.mp3", 16000)
        check_tones(wave[:24000])
        check_tones(wave[24000:])


NOISY = sine(400, seconds=6) + 0.03 * np.random.default_rng(0).standard_normal(6 * RATE).astype(
    np.float32
)
CUT_OFF = {
    "a.mp3": lambda: encoded("mp3", "libmp3lame", NOISY, sample="s16p"),
    "a.ogg": lambda: written("OGG", "VORBIS", NOISY),
    "a.opus": lambda: written("OGG", "OPUS", NOISY),
    "a.flac": lambda: written("FLAC", "PCM_16", NOISY),
    "gsm.wav": lambda: written("WAV", "GSM610", NOISY[::6], RATE // 6),
    "a.webm": lambda: encoded("webm", "libopus", NOISY, sample="flt"),
}


@pytest.mark.parametrize("name", CUT_OFF)
def test_a_file_that_was_cut_off_is_read_and_called_so(tmp_path, name):
    content = CUT_OFF[name]()
    (tmp_path / name).write_bytes(content[: len(content) * 2 // 3])
    with pytest.warns(UserWarning, match=f"{name} is truncated"):
        wave = read_audio(tmp_path / name, 16000)
    assert 2.5 < len(wave) / 16000 < 5
    assert abs(loudest_hertz(wave[16000:32000]) - 400) < 10


def test_a_header_that_counts_little_of_the_file_is_told(tmp_path):
    (tmp_path / "a.wav").write_bytes(
        patched(written("WAV", "PCM_16"), {40: struct.pack("<I", 9600)})
    )
    with pytest.warns(
        UserWarning, match=r"a\.wav has 144044 bytes, but its header counts only 9600 as sound"
    ):
        assert len(read_audio(tmp_path / "a.wav", 16000)) == 1600


@pytest.mark.parametrize("residue", [0.001, 0.02])
def test_of_channels_that_cancel_each_other_the_louder_is_read(tmp_path, residue):
    left = sine(400, 16000) + 0.1
    soundfile.write(tmp_path / "a.wav", np.stack([residue * left - left, left], 1), 16000, "FLOAT")
    with pytest.warns(
        UserWarning, match=r"a\.wav has channels of opposite phase.*channel 2 alone"
    ) as found:
        wave = read_audio(tmp_path / "a.wav", 16000)
    assert len(found) == 1
    np.testing.assert_allclose(wave, left - left.mean(), atol=2 / 32768)


@pytest.mark.parametrize("right", [np.zeros(8000), 0.5 * sine(400, 16000), -0.7 * sine(400, 16000)])
def test_channels_that_do_not_cancel_are_averaged_without_a_word(tmp_path, right):
    left = sine(400, 16000)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], 1), 16000, "FLOAT")
    np.testing.assert_allclose(
        read_audio(tmp_path / "a.wav", 16000), (left + right) / 2, atol=2 / 32768
    )


def test_a_name_that_is_not_utf_8_is_read(tmp_path):
    for name, content in (
        (b"\xe9.wav", written("WAV", "PCM_16")),
        (b"\xe9.m4a", COMPLETE["a.m4a"]()),
    ):
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
        path.write_bytes(content)
        check_tones(read_audio(path, 16000))
    path.write_bytes(b"no audio at all")
    with pytest.raises(ValueError, match="cannot be read as audio"):
        read_audio(path, 16000)


@pytest.mark.parametrize("name", ["a.wav", "a.mp3"])
def test_a_pipe_is_read_to_its_end(name):
    content = written("WAV", "PCM_16") if name == "a.wav" else COMPLETE["length-in-tag.mp3"]()
    reading, writing = os.pipe()

    def write():
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(content)

    thread = threading.Thread(target=write)
    thread.start()
    check_tones(read_audio(f"/dev/fd/{reading}", 16000))
    thread.join()
    os.close(reading)


def test_a_pipe_without_end_and_a_device_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(decode, "MAX_PIPE", 1000)
    reading, writing = os.pipe()
    os.write(writing, bytes(2000))
    with pytest.raises(ValueError, match=rf"/dev/fd/{reading} gives more than 1000 bytes"):
        read_audio(f"/dev/fd/{reading}", 16000)
    for end in (reading, writing):
        os.close(end)
    with pytest.raises(ValueError, match="/dev/zero is neither a file nor a pipe"):
        read_audio("/dev/zero", 16000)


def test_a_playlist_opens_no_other_file(tmp_path):
    (tmp_path / "secret.aac").write_bytes(COMPLETE["a.aac"]())
    lines = (
        "#EXTM3U",
        "#EXT-X-TARGETDURATION:2",
        "#EXTINF:2,",
        f"file://{tmp_path}/secret.aac",
        "#EXT-X-ENDLIST",
    )
    for name, content in (
        ("a.mp3", "\n".join(lines)),
        ("a.wav", f"ffconcat version 1.0\nfile {tmp_path}/secret.aac\n"),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(ValueError, match=f"{name} cannot be read as audio"):
            read_audio(tmp_path / name, 16000)


def silent_film():
    content = io.BytesIO()
    with av.open(content, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 64
        for frame in (av.VideoFrame(64, 64, "yuv420p"), None):
            container.mux(stream.encode(frame))
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (lambda: b"\xff\xfb\x90\x00" * 30_000, "Invalid data found when processing input"),
        (silent_film, "it holds no sound that can be decoded"),
        (lambda: b"no audio at all", r"Format not recognised\."),
    ],
)
def test_the_reason_is_that_of_the_file(tmp_path, content, reason):
    (tmp_path / "a.mp3").write_bytes(content())
    with pytest.raises(ValueError, match=rf"a\.mp3 cannot be read as audio \({reason}\); give"):
        read_audio(tmp_path / "a.mp3", 16000)


def test_a_long_file_is_refused_before_it_is_decoded(tmp_path):
    with (tmp_path / "a.g722").open("wb") as file:
        file.truncate(250_000_000)
    with pytest.raises(ValueError, match=r"a\.g722 lasts 31250 s; at most 7200 s are read"):
        read_audio(tmp_path / "a.g722", 16000)
    (tmp_path / "a.mp3").write_bytes(COMPLETE["variable-rate.mp3"]())
    with pytest.raises(ValueError, match=r"a\.mp3 lasts more than 1 s"):
        read_audio(tmp_path / "a.mp3", 16000, max_seconds=1)


@pytest.mark.parametrize("start", [b"OggS\0\2", b"ID3", b"caff\0\1\0\0desc"])
def test_a_file_of_very_many_beginnings_is_refused_at_once(tmp_path, start):
    frame = b"\xff\xfb\x90\x00" + bytes(32) + b"Xing" if start == b"ID3" else start
    (tmp_path / "a.ogg").write_bytes(start + frame * (3_000_000 // len(frame)))
    began = time.process_time()
    with pytest.raises(ValueError, match=r"a\.ogg (cannot be read as audio|holds no samples)"):
        read_audio(tmp_path / "a.ogg", 16000)
    assert time.process_time() - began < 5
