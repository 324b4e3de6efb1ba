"""The dashboard, ``streamlit run dashboard.py``: the pages and their order; each page is a file of srnn_lab.views."""

import streamlit as st
import torch

from srnn_lab.views import compare, explore, latents, results, transition

PAGES = {
    "Explore": explore.show,
    "Compare": compare.show,
    "Latents": latents.show,
    "Make a transition": transition.show,
    "Results": results.show,
}


def main() -> None:
    """Choose a page and show it; what goes wrong with a file is a sentence on the page."""
    st.set_page_config(page_title="srnn_lab", layout="wide")
    torch.set_num_threads(1)  # many small products: a second thread costs more than it brings
    st.sidebar.title("srnn_lab")
    pages = [
        st.Page(page, title=title, url_path=title.lower().replace(" ", "-"), default=title == "Explore")
        for title, page in PAGES.items()
    ]
    try:
        st.navigation(pages).run()
    except (ValueError, OSError) as error:
        st.error(str(error))


if __name__ == "__main__":
    main()
