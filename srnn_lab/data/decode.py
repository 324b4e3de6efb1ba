"""Audio -> blocks of samples: by libsndfile if it knows the exact length, else FFmpeg, to the end.

libsndfile only estimates the length of MP3, stops at the first of several chained Ogg streams, and
trusts a header that a crashed recorder or a pipe left without its sizes.
"""

import io
import itertools
import mmap
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from srnn_lab.data.notices import notify
from srnn_lab.system.extras import optional_packages

Block = Float[np.ndarray, "n c"]
File = io.FileIO | io.BytesIO

MAX_PIPE = 2**30
"""Most bytes that are read from a pipe."""
MAX_PARTS = 1000
"""Most files that one was joined from."""
_BLOCK = 2**16
"""Samples of each channel in a block."""
_CONTAINERS = "aac,amr,asf,caf,flac,g722,matroska,mov,mp3,ogg,wav"
"""What FFmpeg may take a file for: containers that hold the sound itself, unlike playlists, which
name other files."""
_STATED = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "flac"}
"""Those of them that state the exact length, if any."""
_CUT = re.compile(r"(?:data|SSND|Data Size) *: (\d+) \(should be (\d+)\)")
"""Line of libsndfile's log: the bytes of sound that a header states, and those that are there."""
_UNKNOWN_SIZE = 0x7E000000
"""Programs that write to a pipe promise this many bytes or more, since they cannot go back to the
header."""
_UNKNOWN_FRAMES = 2**62
"""From so many frames on, libsndfile does not know the length."""
_NO_FILE = "File does not exist"
"""Beginning of what libsndfile says of some files that are there."""
_NO_SOUND = "it holds no sound that can be decoded"
_BYTES = {
    "PCM_U8": 1,
    "PCM_S8": 1,
    "ULAW": 1,
    "ALAW": 1,
    "PCM_16": 2,
    "PCM_24": 3,
    "PCM_32": 4,
    "FLOAT": 4,
}
"""Bytes of a sample."""
_MP3_START = re.compile(rb"\xff[\xe2-\xff][\x10-\xeb].(?:.{9}|.{17}|.{32})(?:Xing|Info)", re.DOTALL)
"""The frame that counts those of an MP3 file: where files were joined, each begins with one."""
_MP3_DELAY = 576 + 529
"""Samples by which coding delays an MP3 stream that does not state it (LAME's encoder, and any
decoder)."""
_OGG_START = re.compile(rb"OggS\x00[\x02\x06]")
"""The first page of an Ogg stream."""
_OGG_PAGE = 27 + 255 + 255 * 255
"""Bytes of the longest page."""
_HEADER = re.compile(
    rb"caff\x00\x01\x00\x00desc|riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
)
"""Beginning of CAF and W64: into a pipe, libsndfile writes its header anew each time that it would
have changed it."""


class UnreadableError(ValueError):
    """A file that is no audio, or of a kind that cannot be read."""


def open_audio(path: Path) -> File:
    """A regular file, or what comes through a pipe, to be read more than once.

    Returns:
        The file, open for reading at no particular position; the caller closes it.

    Raises:
        FileNotFoundError: There is nothing of this name, or a folder.
        ValueError: It is empty, a pipe without end, or neither a file nor a pipe.
    """
    try:
        kind = path.stat().st_mode
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{path} does not exist; give the path of an audio file."
        ) from error
    if stat.S_ISDIR(kind):
        raise FileNotFoundError(f"{path} is a folder; give the path of an audio file.")
    if not (stat.S_ISREG(kind) or stat.S_ISFIFO(kind)):
        raise ValueError(f"{path} is neither a file nor a pipe; give the path of an audio file.")
    # Unbuffered, since libsndfile moves the position of the descriptor.
    file: File = path.open("rb", buffering=0)
    if stat.S_ISFIFO(kind):
        with file as pipe:
            file = _copy(path, pipe)
    if not file.seek(0, os.SEEK_END):
        file.close()
        raise ValueError(f"{path} is empty; give an audio file.")
    return file


def _copy(path: Path, pipe: File) -> File:
    copy = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 (open_audio gives it away)
    while part := pipe.read(_BLOCK):
        if copy.tell() + len(part) > MAX_PIPE:
            copy.close()
            raise ValueError(
                f"{path} gives more than {MAX_PIPE} bytes; write them to a file, and give its path."
            )
        copy.write(part)
    return copy


def decode(path: Path, file: File, max_seconds: int) -> Iterator[tuple[Block, int]]:
    """Blocks of samples, full scale 1, each with its sample rate.

    Joined streams may differ in rate and channels.

    Args:
        path: The file's name, for its ending and for messages.
        file: What ``open_audio`` gave.
        max_seconds: Longest file that is read, in seconds. It may have no more samples than a file
            of this length with two channels at 96 kHz.

    Yields:
        The next samples (N, channels), at least one, and their rate in Hz.

    Raises:
        UnreadableError: It is no audio.
        ValueError: It is too long.
    """
    seconds = count = 0
    for block, rate in _decode_parts(path, file, max_seconds):
        seconds, count = seconds + len(block) / rate, count + len(block)
        if seconds > max_seconds:
            raise ValueError(
                f"{path} lasts more than {max_seconds} s, and is not read. Cut it into shorter "
                "files."
            )
        _check_samples(path, count, block.shape[1], max_seconds)
        if len(block):
            yield block, rate


def _check_seconds(path: Path, seconds: float, max_seconds: int) -> None:
    if seconds > max_seconds:
        raise ValueError(
            f"{path} lasts {seconds:.0f} s; at most {max_seconds} s are read. Cut it into shorter "
            "files."
        )


def _check_samples(path: Path, count: int, channels: int, max_seconds: int) -> None:
    if count * channels > 2 * 96_000 * max_seconds:
        raise ValueError(
            f"{path} has {count} samples in each of {channels} channels, too many to be read; "
            "give one channel, or cut it into shorter files."
        )


def _decode_parts(path: Path, file: File, max_seconds: int) -> Iterator[tuple[Block, int]]:
    if path.suffix.lower() == ".g722":  # without a header, of 64 kbit/s
        _check_seconds(path, file.seek(0, os.SEEK_END) / 8000, max_seconds)
        yield from _decode_ffmpeg(path, file, "g722")
        return
    parts, failures = _split(file), []
    for part in parts:
        try:
            yield from _decode_part(path, part, max_seconds)
        except UnreadableError as error:  # such as a tag before the first frame
            failures.append(error)
    if len(failures) == len(parts):
        raise failures[0]


def _split(file: File) -> list[File]:
    """The files that an MP3 or Ogg file was joined from.

    Returns:
        Each of them. If it begins with headers that came through a pipe, there is one: that with
        the sound.
    """
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if _HEADER.match(content):
            starts = _find(_HEADER, content)
            spans = sorted(itertools.pairwise(starts), key=lambda span: span[1] - span[0])[-1:]
        else:
            starts = _starts(content)
            spans = (
                list(itertools.pairwise(sorted({0, *starts, len(content)})))
                if len(starts) > 1
                else []
            )
        return [io.BytesIO(content[start:end]) for start, end in spans] or [file]


def _starts(content: mmap.mmap) -> list[int]:
    if content[:3] == b"ID3" or _MP3_START.match(content):
        return _find(_MP3_START, content)
    if not _OGG_START.match(content):
        return []
    starts = _find(_OGG_START, content)
    # Of streams side by side, such as sound and picture, the first pages follow each other.
    follow = {start + _page_size(content[start : start + _OGG_PAGE]) for start in starts}
    return [start for start in starts if start not in follow]


def _find(pattern: re.Pattern[bytes], content: mmap.mmap) -> list[int]:
    """Where a pattern begins; nowhere, if in more places than a file has that someone joined."""
    starts = [found.start() for found in itertools.islice(pattern.finditer(content), MAX_PARTS + 1)]
    return starts if len(starts) <= MAX_PARTS else []


def _page_size(page: bytes) -> int:
    """Bytes of an Ogg page that begins here, by its header."""
    return 27 + page[26] + sum(page[27 : 27 + page[26]]) if len(page) > 26 else _OGG_PAGE


def _decode_part(path: Path, file: File, max_seconds: int) -> Iterator[tuple[Block, int]]:
    with optional_packages():
        import soundfile

    refused = ""
    file.seek(0)
    try:
        # By its descriptor, since libsndfile takes no name that is not UTF-8.
        with soundfile.SoundFile(
            file if isinstance(file, io.BytesIO) else file.fileno(), closefd=False
        ) as sound:
            exact = (
                sound.format != "MP3"
                and not sound.subtype.startswith("MPEG")
                and sound.frames < _UNKNOWN_FRAMES
            )
            if exact and sound.frames:
                _check_seconds(path, sound.frames / sound.samplerate, max_seconds)
                _check_samples(path, sound.frames, sound.channels, max_seconds)
                yield from _decode_libsndfile(path, file, sound)
                return
    except soundfile.LibsndfileError as error:
        # Where no MPEG frame can be decoded, it says that there is no file.
        refused = "" if error.error_string.startswith(_NO_FILE) else error.error_string
    try:
        yield from _decode_ffmpeg(path, file)
    except UnreadableError as error:
        reason = _NO_SOUND if str(error) == _NO_SOUND else refused or str(error)
        raise UnreadableError(
            f"{path} cannot be read as audio ({reason}); give a WAV, FLAC, OGG or MP3 file."
        ) from error


def _decode_libsndfile(path: Path, file: File, sound: Any) -> Iterator[tuple[Block, int]]:
    with optional_packages():
        import soundfile

    count, block = 0, [...]
    while len(block):
        try:
            block = sound.read(_BLOCK, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError:
            # Where streams were joined without the header of the second, FFmpeg goes on.
            ogg = sound.format == "OGG"
            rest = _rest(path, file, count / sound.samplerate) if ogg else iter(())
            if (first := next(rest, None)) is None:
                break  # what was cut off is counted below
            yield first
            yield from rest
            return
        count += len(block)
        yield block, sound.samplerate
    # Of an uncompressed file, sound.frames counts what is there; the log has what the header
    # promised, in bytes.
    promised = sound.frames
    if cut := _CUT.search(sound.extra_info):
        stated, held = map(int, cut.groups())
        promised = round(promised * stated / max(held, 1)) if stated < _UNKNOWN_SIZE else promised
    if count < promised:
        _notify_cut(path, count, promised)
    elif sound.format == "OGG":
        _check_last_page(path, file, count)
    elif sound.subtype in _BYTES:
        _notify_rest(path, file, count * sound.channels * _BYTES[sound.subtype])


def _rest(path: Path, file: File, seconds: float) -> Iterator[tuple[Block, int]]:
    """What FFmpeg decodes of a file after its first seconds, if anything."""
    skip = None
    with suppress(UnreadableError):
        for block, rate in _decode_ffmpeg(path, file):
            skip = round(seconds * rate) if skip is None else skip
            if len(block) > skip:
                yield block[skip:], rate
            skip = max(0, skip - len(block))


def _decode_ffmpeg(path: Path, file: File, name: str | None = None) -> Iterator[tuple[Block, int]]:
    with optional_packages():
        import av
        from av.error import FFmpegError

    # Only containers of sound are opened, and nothing that they point to.
    file.seek(0)
    options = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "none"}
    count, rate, form, failure = 0, 0, None, None
    try:
        with av.open(
            file, "r", format=name, options=options, metadata_errors="replace"
        ) as container:
            stream = next(iter(container.streams.audio), None)
            if stream is None or stream.codec_context is None:
                raise UnreadableError(_NO_SOUND)
            kind, codec = container.format.name, stream.codec_context
            # Of MP3, the frame that states the length also states how much to skip at the start.
            exact = kind in _STATED or (kind == "mp3" and (stream.start_time or 0) > 0)
            stated = (container.duration or 0) / av.time_base if exact else 0
            skip = 0 if exact or not codec.name.startswith("mp3") else _MP3_DELAY
            bytes_a_second = (codec.bit_rate or 0) / 8 if codec.name.startswith("pcm_") else 0
            # The samples, as floats; the format may change within a file.
            for packet in container.demux(stream):
                try:
                    frames = packet.decode()
                except FFmpegError as error:
                    # A tag between joined streams, or damage; what follows may be sound.
                    failure = error
                    continue
                for frame in frames:
                    if form != (form := (frame.format.name, frame.layout.name, frame.sample_rate)):
                        to_float, rate = av.AudioResampler("fltp"), frame.sample_rate
                    for converted in to_float.resample(frame):
                        block = converted.to_ndarray()[:, skip:].T
                        skip = max(0, skip - converted.samples)
                        count += len(block)
                        yield block, rate
    except FFmpegError as error:
        failure = error
    # Whether all of the sound was there.
    if not count:
        if failure:
            raise UnreadableError(failure.strerror) from failure
    elif count / rate < stated - 0.1:
        _notify_cut(path, count, round(stated * rate))
    elif kind == "ogg":
        _check_last_page(path, file, count)
    elif bytes_a_second:
        _notify_rest(path, file, round(count / rate * bytes_a_second))


def _notify_cut(path: Path, count: int, promised: int) -> None:
    notify(f"{path} is truncated: {count} of about {promised} samples were read.")


def _notify_rest(path: Path, file: File, used: int) -> None:
    size = file.seek(0, os.SEEK_END)
    if used < size / 2 and size > _BLOCK / 8:
        notify(
            f"{path} has {size} bytes, but its header counts only {used} as sound; the others "
            "were not read."
        )


def _check_last_page(path: Path, file: File, count: int) -> None:
    """Whether the last page of an Ogg file is there, whole, and marked as the last."""
    file.seek(max(0, file.seek(0, os.SEEK_END) - 2 * _OGG_PAGE))
    tail = file.read()
    page = tail[tail.rfind(b"OggS") :]
    if len(page) < _page_size(page) or not page[5] & 4:
        notify(f"{path} is truncated: its last page is missing; {count} samples were read.")
