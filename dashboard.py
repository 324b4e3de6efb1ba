"""The dashboard: ``streamlit run dashboard.py``. Its pages are those of srnn_lab.dashboard.app."""

import tempfile
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fnmatch import fnmatch
from urllib.parse import urlsplit

import streamlit as st
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from srnn_lab.system.files import server_folder

# Comments, since Streamlit shows a text that stands by itself in its script. A server that listens
# at all addresses:
EVERYWHERE = ("0.0.0.0", "::")
# Names of this machine for itself:
HERE = ("localhost", "127.0.0.1", "::1")


def warn_of_hosts() -> None:
    """Say so if other machines may connect, but not under any name that they have for this one."""
    hosts = st.get_option("server.allowedHosts")
    if st.get_option("server.address") not in HERE and hosts and set(hosts) <= set(HERE):
        print(
            "Only this machine can open the dashboard, visitors are refused: add "
            "--server.allowedHosts NAME, where NAME is what their browsers call this machine."
        )


def is_allowed(host: str) -> bool:
    """Whether ``server.allowedHosts`` has the name in a header, with or without a port.

    Returns:
        Whether the name is in that list; if the list is empty, every name is.
    """
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return False
    hosts = st.get_option("server.allowedHosts")
    return not hosts or any(fnmatch(name, pattern.lower()) for pattern in hosts)


class OnlyAllowedHosts:
    """Refuse requests under names not in ``server.allowedHosts``; Streamlit asks only websockets.

    Args:
        app: What answers the others.
    """

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and not is_allowed(Headers(scope=scope).get("host", "")):
            await PlainTextResponse("server.allowedHosts does not have this name.\n", 403)(
                scope, receive, send
            )
        else:
            await self.app(scope, receive, send)


def own_address() -> str:
    """Where a browser on this machine finds the dashboard, whatever the server's options."""
    get = st.get_option
    scheme = "https" if get("server.sslCertFile") else "http"
    asked = (get("browser.serverAddress"), get("server.address"))
    host = next(
        (name for name in asked if name and name not in ("localhost", *EVERYWHERE)), "localhost"
    )
    host = f"[{host}]" if ":" in host else host
    path = get("server.baseUrlPath").strip("/")
    return f"{scheme}://{host}:{get('browser.serverPort')}/{path}"


@asynccontextmanager
async def get_ready(_: st.App) -> AsyncIterator[None]:
    """Do before a visit what takes seconds, then open the browser, which Streamlit leaves to Apps.

    What visitors bring is written to a folder that goes with the server.
    """
    from srnn_lab.dashboard import app as pages  # and with them PyTorch

    warn_of_hosts()
    pages.warm_up()
    if not st.get_option("server.headless"):
        webbrowser.open(own_address())
    with server_folder() as folder:
        tempfile.tempdir = str(folder)
        try:
            yield
        finally:
            tempfile.tempdir = None  # for whoever goes on in this process


if __name__ == "__main__":
    from srnn_lab.dashboard import app as pages

    pages.show()
else:
    app = st.App(__file__, lifespan=get_ready, middleware=[Middleware(OnlyAllowedHosts)])
