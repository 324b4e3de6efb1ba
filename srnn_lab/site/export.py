"""The bundled views, moments and notebooks as pages with sound, without a server of ours.

Any web host shows them.
"""

import base64
import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from srnn_lab.analysis.events import near_windows
from srnn_lab.analysis.inspection import inspect_signal
from srnn_lab.analysis.moments import APART, AROUND, MOMENTS, strongest, summarise
from srnn_lab.checkpoint import Checkpoint, load_checkpoint
from srnn_lab.data import read_clip, read_signal
from srnn_lab.data.bundled import clips_of_kind
from srnn_lab.pictures.clip import clip_scene
from srnn_lab.player.page import scene_html
from srnn_lab.player.sound import clip_sounds, original_sound, small_sound_file
from srnn_lab.site.markdown import html_of
from srnn_lab.site.notebooks import (
    SERVER,
    Code,
    Notebook,
    Part,
    Picture,
    Printed,
    Section,
    Sound,
    Text,
    View,
)
from srnn_lab.system.files import write_atomically

RATE = 12_000
"""Samples a second to which the sound of music is reduced, which takes a quarter of the room."""
SHOWN = 2
"""Clips of speech that are shown with the first model of a kind; with the others, and of music,
whose sound is large, the first of them, to be compared."""
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ max-width: 50rem; margin: 1rem auto; padding: 0 1rem; font: 1rem/1.55 sans-serif; }}
h1 {{ font-size: 1.5rem; line-height: 1.25; }} h2 {{ font-size: 1.2rem; margin-top: 2rem; }}
a {{ color: light-dark(#00609c, #6db9f2); }}
img {{ max-width: 100%; background: #fff; border-radius: 4px; }} audio {{ max-width: 100%; }}
pre {{ overflow-x: auto; padding: 0.6rem; background: light-dark(#f3f3f3, #24262c); \
border-radius: 4px; }}
pre, code {{ font-size: 0.85rem; }} math[display="block"] {{ overflow-x: auto; padding: 0.4rem 0; }}
table {{ border-collapse: collapse; display: block; overflow-x: auto; }}
td, th {{ padding: 0.3rem 0.6rem; border-bottom: 1px solid light-dark(#ddd, #444); \
text-align: left; }}
summary {{ cursor: pointer; }} nav {{ font-size: 0.9rem; }}
</style>
{body}
</html>
"""


@dataclass(frozen=True)
class Shown:
    """A page with a player.

    Attributes:
        model: The checkpoint's name.
        clip: The clip's name.
        file: The page, from the folder of the site.
    """

    model: str
    clip: str
    file: str


def export_site(
    folder: Path,
    models: Mapping[str, Mapping[str, str]],
    clips: Mapping[str, Mapping[str, Path]],
    lessons: Mapping[str, Notebook],
) -> dict[str, Any]:
    """Write the pages; those that are there are replaced.

    Args:
        folder: Where they are written.
        models: By the heading of their group, what is said of each bundled checkpoint, by name.
        clips: By kind of frame, the clips in which moments are looked for, by name; the first of
            them are shown.
        lessons: The notebooks, by file name without its ending; none if they are not installed.

    Returns:
        How many pages of each kind there are, and their size in MB of a million bytes.

    Raises:
        NotADirectoryError: The folder is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file; name a folder for the site.")
    written = 0

    def write(name: str, page: str) -> None:
        nonlocal written
        written += len(content := page.encode())
        write_atomically(folder / name, content)

    shown, moments = [], {}
    for name in [name for group in models.values() for name in group]:
        checkpoint = load_checkpoint(name)
        data, kind = checkpoint.config.data, checkpoint.config.data.kind
        files = clips[kind.name]
        if own := {name: files[name] for name in clips_of_kind(data) if name in files}:
            files = own
        for clip in [*files][: 1 if kind.notes or kind.name in moments else SHOWN]:
            shown.append(Shown(name, clip, f"players/{name}-{clip.replace('/', '-')}.html"))
            write(shown[-1].file, player_page(checkpoint, files[clip], name))
        if kind.name not in moments:
            moments[kind.name] = moments_of(checkpoint, files, name)
    write("moments.html", page_of("The strongest moments", "".join(moments.values()), "index.html"))
    for lesson in lessons.values():
        write(f"notebooks/{lesson.file}.html", notebook_page(lesson, lessons, shown))
    write("index.html", index_page(models, shown, lessons))
    return {
        "out": str(folder),
        "players": len(shown),
        "notebooks": len(lessons),
        "MB": written / 1e6,
    }


def page_of(title: str, body: str, home: str = "") -> str:
    """A page with a title.

    Args:
        title: Its heading.
        body: HTML below the heading.
        home: Address of the first page, from this one; empty on the first page itself.

    Returns:
        The text of an HTML file.
    """
    link = f'<nav><a href="{home}">All pages</a></nav>' if home else ""
    return _PAGE.format(title=html.escape(title), body=f"{link}<h1>{html.escape(title)}</h1>{body}")


def player_page(checkpoint: Checkpoint, path: Path, model: str) -> str:
    """What a model makes of a clip, to look at and to play.

    Args:
        checkpoint: The model.
        path: The clip's file.
        model: Name of the model.

    Returns:
        The text of an HTML file with its sounds.
    """
    signal, timing = read_clip(path, checkpoint.config.data)
    clip = inspect_signal(checkpoint, signal)
    scene = clip_scene(checkpoint, signal, clip, path.stem, timing=timing)
    sounds = {
        name: reduced(*sound) for name, sound in clip_sounds(checkpoint, signal, clip).items()
    }
    return scene_html(scene, sounds, f"{path.stem}, model {model}", home="../index.html")


def reduced(samples: np.ndarray, rate: int) -> tuple[np.ndarray, int]:
    """A sound with at most ``RATE`` samples a second, if that divides its rate."""
    if (factor := rate // RATE) < 2 or rate % RATE:
        return samples, rate
    from scipy.signal import resample_poly

    fewer = resample_poly(samples.astype(float), 1, factor)
    if samples.dtype == np.int16:
        return np.clip(np.round(fewer), -32768, 32767).astype(np.int16), RATE
    return np.clip(fewer, -1.0, 1.0).astype(samples.dtype), RATE


def moments_of(checkpoint: Checkpoint, clips: Mapping[str, Path], model: str) -> str:
    """The strongest moments of the KL in some clips, each with its sound.

    Args:
        checkpoint: The model.
        clips: Files of the clips, by name.
        model: Name of the model.

    Returns:
        A heading and a table in HTML.
    """
    data = checkpoint.config.data
    signals = {name: read_signal(path, data) for name, path in clips.items()}
    found = {
        name: summarise(inspect_signal(checkpoint, signal), near_windows(data)[-1])
        for name, signal in signals.items()
    }
    values = {name: summary.kl for name, summary in found.items()}
    left_out = {name: summary.left_out for name, summary in found.items()}
    unit, half, rows = data.kind.time_unit, AROUND[data.kind.time_unit], []
    for moment in strongest(values, left_out, MOMENTS, APART):
        time = float(found[moment.clip].times[moment.frame])
        start, end = (round(edge * data.rate) for edge in (max(0.0, time - half), time + half))
        heard = reduced(*original_sound(signals[moment.clip][start:end], data))
        rows.append(
            f"<tr><td>{moment.value:.1f}</td><td>{html.escape(moment.clip)}</td><td>{time:.2f}</td>"
            f'<td><audio controls src="{data_of(*small_sound_file(*heard))}"></audio></td></tr>'
        )
    head = f"<tr><th>KL (nats)</th><th>clip</th><th>at ({unit})</th><th>sound</th></tr>"
    return f"<h2>{html.escape(model)}</h2><table>{head}{''.join(rows)}</table>"


def data_of(content: bytes, kind: str) -> str:
    """A file as an address that contains it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def notebook_page(lesson: Notebook, lessons: Mapping[str, Notebook], shown: Sequence[Shown]) -> str:
    """A notebook: its text, its code folded away, and what is stored of its outputs.

    Args:
        lesson: The notebook.
        lessons: All notebooks, to which its links may lead.
        shown: The pages with players, to which its views lead.

    Returns:
        The text of an HTML file.
    """

    def target_of(link: str) -> str | None:
        stem = link.removesuffix(".ipynb")
        if stem in lessons:
            return f"{stem}.html"
        return None if link.startswith(SERVER) or "://" not in link else link

    def section_of(section: Section) -> Iterator[str]:
        if section is not lesson.sections[0]:
            yield f'<h2 id="{quote(section.name)}">{html_of(section.heading, target_of)[3:-5]}</h2>'
        for part in section.parts:
            yield part_html(part, section.name, target_of)
        for one in dict.fromkeys(filter(None, (player_of(view, shown) for view in section.views))):
            named = html.escape(f"{one.model}, {one.clip}")
            yield f'<p><a href="../{one.file}">See and hear it: {named}</a></p>'

    body = "".join(line for section in lesson.sections for line in section_of(section))
    return page_of(lesson.title, body, "../index.html")


def player_of(view: View, shown: Sequence[Shown]) -> Shown | None:
    """The player that comes closest to a view of the dashboard.

    Returns:
        That of its model, and of its clip if that is there. None if the model has no player.
    """
    model = view.params.get("checkpoint", view.params.get("music"))
    clip = view.params.get("prompt", view.params.get("clip"))
    of_model = [one for one in shown if one.model == model]
    return next((one for one in of_model if one.clip == clip), next(iter(of_model), None))


def part_html(part: Part, about: str, target_of: Any) -> str:
    """A part of a notebook as HTML.

    Args:
        part: The part.
        about: What a picture is about, for who does not see it.
        target_of: Gives the target of a link on the page.

    Returns:
        Elements of a page.
    """
    match part:
        case Text(markdown):
            return html_of(markdown, target_of)
        case Code(source, solution):
            fold = "Solution" if solution else "Code"
            return (
                f"<details><summary>{fold}</summary><pre><code>{html.escape(source)}</code></pre>"
                "</details>"
            )
        case Printed(text):
            return f"<pre>{html.escape(text)}</pre>"
        case Picture(content, kind):
            return (
                f'<p><img src="{data_of(content, kind)}" alt="Picture: {html.escape(about)}"></p>'
            )
        case Sound(content, kind):
            return f'<p><audio controls src="{data_of(content, kind)}"></audio></p>'


def index_page(
    models: Mapping[str, Mapping[str, str]], shown: Sequence[Shown], lessons: Mapping[str, Notebook]
) -> str:
    """The first page: what there is, and how to look at it.

    Args:
        models: By the heading of their group, what is said of each model, by name.
        shown: The pages with players.
        lessons: The notebooks.

    Returns:
        The text of an HTML file.
    """
    parts = [
        "<p>A recurrent network predicts a recording frame by frame. A <em>stochastic</em> "
        "recurrent network (SRNN, Fraccaro et al., 2016) also guesses a latent state z. The KL "
        "divergence between what it guessed before and after a frame says how much that frame "
        "surprised it. These pages let you see and hear where that happens. They are files: "
        "nothing is computed here, and nothing is sent anywhere.</p>",
        '<h2>See and hear a clip</h2><p>Press <em>Play</em>, drag over a spike of the row "KL", '
        "and press <em>Loop</em>. Switch to the reconstruction to hear what the model kept.</p>",
    ]
    for title, group in models.items():
        rows = []
        for name, about in group.items():
            links = " · ".join(
                f'<a href="{quote(one.file)}">{html.escape(one.clip)}</a>'
                for one in shown
                if one.model == name
            )
            rows.append(
                f"<tr><td><b>{html.escape(name)}</b></td><td>{html.escape(about)}<br>{links}</td></tr>"
            )
        parts.append(f"<h3>{html.escape(title)}</h3><table>{''.join(rows)}</table>")
    parts.append(
        '<h2>The strongest moments</h2><p><a href="moments.html">The moments with the largest '
        "KL</a> in these clips, for a model of each kind, with their sounds.</p>"
        "<h2>Read the paper, section by section</h2>"
    )
    links = "".join(
        f'<li><a href="notebooks/{one.file}.html">{html.escape(one.title)}</a></li>'
        for one in lessons.values()
    )
    none = "<p>The notebooks were not at hand when this site was made.</p>"
    parts.append(f"<ul>{links}</ul>" if lessons else none)
    return page_of("Where is a stochastic recurrent network surprised?", "".join(parts))
