"""How a notebook shows a figure and plays a sound: the one place that decides it."""

import io
import warnings
from typing import TYPE_CHECKING

import plotly.graph_objects as go
from tqdm import TqdmWarning

from srnn_lab.pictures.scene import Scene
from srnn_lab.pictures.svg import scene_svg

if TYPE_CHECKING:
    from IPython.display import Audio

WIDTH = 700
"""Pixels of a clip, which fits beside the file list of JupyterLab."""
# librosa loads bars for notebooks, which nothing here draws, and they would ask for ipywidgets.
warnings.filterwarnings("ignore", "IProgress not found", TqdmWarning)


def show(figure: go.Figure | Scene, title: str = "") -> None:
    """Show a clip as SVG or Plotly chart, always dark on white: JupyterLab and VS Code draw both.

    The picture of a chart that a page without JavaScript shows (GitHub) is added by
    ``notebooks/refresh.py``, so that whoever runs a notebook needs neither kaleido nor a browser
    for it.

    Args:
        figure: What is shown.
        title: What stands above a clip's rows.
    """
    if isinstance(figure, Scene):
        from IPython.display import SVG, display

        display(SVG(scene_svg(figure, title=title, width=WIDTH)))
        return
    figure.update_layout(paper_bgcolor="white", plot_bgcolor="white", font_color="#31333f")
    figure.show(renderer="plotly_mimetype")


def hear(wav: bytes) -> "Audio":
    """A player for a WAV file of ``audio.wav_bytes`` or ``audio.midi_to_wav``, as loud as the file.

    The sound is stored as one channel of MP3, a tenth of the size.

    Returns:
        What Jupyter shows as a player if it is the last value of a cell.
    """
    import soundfile
    from IPython.display import Audio

    samples, rate = soundfile.read(io.BytesIO(wav), always_2d=True)
    content = io.BytesIO()
    soundfile.write(content, samples.mean(1), rate, format="MP3", compression_level=0.8)
    player = Audio(data=content.getvalue())
    player.mimetype = "audio/mpeg"
    return player
