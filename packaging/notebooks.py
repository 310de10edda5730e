"""Make and execute the notebooks of the documentation from the scripts beside them.

What programs write to stderr, such as TensorFlow's lines on its build, is left out.
"""

import tempfile
from pathlib import Path

import jupytext
from nbclient import NotebookClient

for script in sorted((Path(__file__).parents[1] / "docs/notebooks").glob("*.py")):
    print(f"execute {script.name}")
    notebook = jupytext.read(script)
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        NotebookClient(notebook, kernel_name="python3", resources=resources).execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [out for out in cell.outputs if out.get("name") != "stderr"]
            cell.metadata.pop("execution", None)  # times, which differ at each run
    jupytext.write(notebook, script.with_suffix(".ipynb"))
