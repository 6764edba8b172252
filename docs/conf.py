"""Configuration of the site. `make docs` prepares its pages (pages.py) and then builds them."""

import re
from pathlib import Path

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = dict(re.findall(r"^(\w+) = (.*)$", (ROOT / "settings.ini").read_text(encoding="utf-8"), re.M))

project, author, copyright = "pumap", SETTINGS["author"], SETTINGS["copyright"]  # noqa: A001
version = release = SETTINGS["version"]
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc", "sphinx_copybutton"]
templates_path = ["_templates"]

# Notebooks: pages.py executes them
nb_execution_mode = "off"
nb_render_markdown_format = "gfm"
nb_ipywidgets_js = {}
myst_enable_extensions = ["dollarmath", "attrs_block"]
myst_heading_anchors = 4
myst_dmath_double_inline = True  # $$ in the middle of a paragraph
suppress_warnings = ["myst.header"]  # a notebook may go from its title to a third level

# Reference
default_role = "literal"
add_module_names = False
autodoc_typehints = "none"  # the docstrings have them
autodoc_member_order = "bysource"
toc_object_entries_show_parents = "hide"
autosummary_generate = False
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

# Appearance
html_theme = "pydata_sphinx_theme"
html_title = "pumap"
html_static_path = ["_static", str(ROOT / "_pages" / "static")]
html_css_files = ["custom.css"]
html_favicon = "_static/favicon.svg"
html_context = {"default_mode": "auto"}
html_copy_source = False
html_show_sourcelink = False
html_sidebars = {"index": []}
html_theme_options = {
    "logo": {"text": "pumap"},
    "github_url": SETTINGS["git_url"],
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "navigation_depth": 2,
    "show_toc_level": 2,
    "secondary_sidebar_items": {"**": ["page-toc"], "index": [], "paper/scorecard": [], "paper/errata": []},
    "pygments_light_style": "tango",
    "pygments_dark_style": "monokai",
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
    "back_to_top_button": False,
}


def mathml(self, node):
    "Formulas as MathML, which browsers draw without a script from another host."
    block = isinstance(node, nodes.math_block)
    markup = tex2mathml(node.astext(), as_block=block)
    self.body.append(f'<div class="math">{markup}</div>' if block else markup)
    raise nodes.SkipNode


def keep_outputs_inside(app):
    "myst-nb writes the pictures of outputs next to the site's folder; here that is the repository."
    app.env.mystnb_config = app.env.mystnb_config.copy(output_folder=str(ROOT / "_pages" / "outputs"))


def setup(app):
    app.connect("builder-inited", keep_outputs_inside, priority=900)  # after myst-nb's own
    app.add_html_math_renderer("mathml", inline_renderers=(mathml, None), block_renderers=(mathml, None))


html_math_renderer = "mathml"
