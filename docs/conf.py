"""How the pages are built: `make docs`."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))
# Shell cells find the command beside the Python that builds the pages, and print plainly.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
# Cells of the derivation import its experiments and figures.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(HERE / "learn"), os.environ.get("PYTHONPATH")]))
os.environ["IPYTHONDIR"] = str(HERE / "_ext" / "ipython")
os.environ.update({"NO_COLOR": "1", "COLUMNS": "100", "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "2")})

import likely

project = "likely"
author = "the authors of likely"
version = release = likely.__version__
language = "en"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "docstrings",
    "mathml",
    "pages",
    "checks",
]
exclude_patterns = ["_build", "_ext", "**.ipynb_checkpoints"]
needs_sphinx = "8.1"

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
suppress_warnings = ["config.cache"]

nb_execution_mode = "cache"
nb_execution_cache_path = str(HERE / "_build" / "executed")
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 900
nb_merge_streams = True

autodoc_class_signature = "mixed"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
default_role = "code"

html_theme = "furo"
html_title = f"likely {release}"
html_static_path = ["_static"]
html_css_files = ["likely.css"]
html_math_renderer = "mathml"
html_show_sourcelink = False
html_show_copyright = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_only_copy_prompt_lines = True
linkcheck_timeout = 20
