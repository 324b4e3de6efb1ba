"""How a notebook shows a figure and plays a sound: the one place that decides it."""

import io
import warnings
from typing import TYPE_CHECKING

import plotly.graph_objects as go
from tqdm import TqdmWarning

if TYPE_CHECKING:
    from IPython.display import Audio

# librosa loads bars for notebooks, which nothing here draws, and they would ask for ipywidgets.
warnings.filterwarnings("ignore", "IProgress not found", TqdmWarning)


def show(figure: go.Figure) -> None:
    """Show a figure, dark on white whatever the page: JupyterLab and VS Code draw it.

    The picture that a page without JavaScript shows (GitHub) is added by ``notebooks/refresh.py``, so that whoever runs
    a notebook needs neither kaleido nor a browser for it.
    """
    figure.update_layout(paper_bgcolor="white", plot_bgcolor="white", font_color="#31333f")
    figure.show(renderer="plotly_mimetype")


def hear(wav: bytes) -> "Audio":
    """A player for a WAV file of ``audio.wav_bytes`` or ``audio.midi_to_wav``, as loud as the file is.

    The sound is stored as one channel of MP3, a tenth of the size.
    """
    import soundfile
    from IPython.display import Audio

    samples, rate = soundfile.read(io.BytesIO(wav), always_2d=True)
    content = io.BytesIO()
    soundfile.write(content, samples.mean(1), rate, format="MP3", compression_level=0.8)
    player = Audio(data=content.getvalue())
    player.mimetype = "audio/mpeg"
    return player
