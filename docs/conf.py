"""``sphinx-build -W docs build/docs`` makes the site, with an API reference from the docstrings."""

project = "srnn_lab"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
html_theme = "furo"
napoleon_use_ivar = True
napoleon_attr_annotations = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
# Pages link to files of the repository, which a site does not have.
suppress_warnings = ["myst.xref_missing", "ref.python"]
