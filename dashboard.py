"""The dashboard: ``streamlit run dashboard.py``. Its pages are those of srnn_lab.dashboard.app."""

import tempfile
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st


@asynccontextmanager
async def get_ready(_: st.App) -> AsyncIterator[None]:
    """Do before the first visit what takes seconds, then open the browser, which Streamlit leaves to an App.

    What visitors bring is written to a folder that goes with the server.
    """
    from srnn_lab.dashboard import app as pages  # and with them PyTorch

    pages.warm_up()
    if not st.get_option("server.headless"):
        webbrowser.open(f"http://localhost:{st.get_option('server.port')}")
    with tempfile.TemporaryDirectory(prefix="srnn_lab-", ignore_cleanup_errors=True) as tempfile.tempdir:
        try:
            yield
        finally:
            tempfile.tempdir = None  # for whoever goes on in this process


if __name__ == "__main__":
    from srnn_lab.dashboard import app as pages

    pages.show()
else:
    app = st.App(__file__, lifespan=get_ready)
