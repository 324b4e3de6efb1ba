"""Execute notebooks, add a picture to each figure, and leave nothing that differs between machines.

``python notebooks/refresh.py [NAME ...]`` does it for the named files, or for all of this folder;
it needs ``pip install -e '.[notebooks]'`` and an installed Chromium or Chrome.
"""

import base64
import io
import json
import os
import resource
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

from srnn_lab.checkpoint import write_atomically

FOLDER = Path(__file__).parent
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
FIGURE = "application/vnd.plotly.v1+json"
WIDTH = 700
"""Pixels of a picture, which fits beside the file list of JupyterLab."""


def execute(notebook: NotebookNode) -> float:
    """Run all cells in a kernel of their own, and return the seconds of processor time they took.

    (On an idle machine they take no longer than that; on a busy one nothing else can be compared.)

    Raises:
        nbclient.exceptions.CellExecutionError: A cell raised an exception.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(FOLDER)}},
    )
    client.execute(env=os.environ | {"TQDM_DISABLE": "1"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def add_pictures(notebook: NotebookNode) -> None:
    """Beside each plotly figure among the outputs, a PNG of it."""
    import kaleido
    from PIL import Image

    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if FIGURE in output.get("data", {}):
                figure = output.data[FIGURE]
                size = {"format": "png", "width": WIDTH, "height": figure["layout"]["height"]}
                drawn = Image.open(io.BytesIO(kaleido.calc_fig_sync(json.loads(json.dumps(figure)), opts=size)))
                picture = io.BytesIO()
                drawn.convert("RGB").quantize(256).save(picture, "PNG", optimize=True)  # a quarter of the bytes
                output.data["image/png"] = base64.b64encode(picture.getvalue()).decode()


def scrub(notebook: NotebookNode) -> None:
    """Drop progress bars and metadata but a cell's tags and what is folded, and number cells."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for i, cell in enumerate(notebook.cells):
        cell.id = f"cell-{i}"
        cell.metadata = nbformat.from_dict({k: v for k, v in cell.metadata.items() if k in ("tags", "jupyter")})
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
            for output in cell.outputs:
                if "metadata" in output:
                    output.metadata = nbformat.from_dict({})


def main() -> None:
    """Refresh the named notebooks, or all."""
    import kaleido

    kaleido.start_sync_server(silence_warnings=True)  # one browser for all pictures
    try:
        for path in [Path(name) for name in sys.argv[1:]] or sorted(FOLDER.glob("*.ipynb")):
            notebook = nbformat.read(path, as_version=4)
            seconds = execute(notebook)
            add_pictures(notebook)
            scrub(notebook)
            content = nbformat.writes(notebook).encode()
            write_atomically(path, content + b"\n")
            print(
                (f"{path.name}: {len(notebook.cells)} cells, {seconds:.1f} s, {len(content) / 1000:.0f} KB"),
                flush=True,
            )
    finally:
        kaleido.stop_sync_server(silence_warnings=True)


if __name__ == "__main__":
    main()
