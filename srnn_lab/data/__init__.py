"""Files -> signals -> standardised frames -> batches.

What other rooms need is found when it is first used: settings know the kinds of frames, and need
not wait for torch.
"""

from typing import TYPE_CHECKING

from srnn_lab.system.lazy import found_in

if TYPE_CHECKING:
    from srnn_lab.data.datasets import (
        DATASETS,
        LABELLED,
        SPLITS,
        load_labels,
        load_split,
        read_clip,
        read_signal,
    )
    from srnn_lab.data.frames import Frontend, LazyFrames
    from srnn_lab.data.labels import Labels, read_labels
    from srnn_lab.data.sequences import Batch, Streams, make_batch
    from srnn_lab.data.storage import widen

__getattr__ = found_in(
    __name__,
    {
        "datasets": (
            "DATASETS",
            "LABELLED",
            "SPLITS",
            "load_labels",
            "load_split",
            "read_clip",
            "read_signal",
        ),
        "frames": ("Frontend", "LazyFrames"),
        "labels": ("Labels", "read_labels"),
        "sequences": ("Batch", "Streams", "make_batch"),
        "storage": ("widen",),
    },
)

__all__ = [
    "DATASETS",
    "LABELLED",
    "SPLITS",
    "Batch",
    "Frontend",
    "Labels",
    "LazyFrames",
    "Streams",
    "load_labels",
    "load_split",
    "make_batch",
    "read_clip",
    "read_labels",
    "read_signal",
    "widen",
]
