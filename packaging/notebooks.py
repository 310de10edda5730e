"""Make and execute the notebooks of the documentation from the scripts beside them.

What programs write to stderr, such as TensorFlow's lines on its build, and TensorFlow's warnings
(it takes several losses for one that is traced again and again) are left out.
"""

import tempfile
from pathlib import Path

import jupytext
from nbclient import NotebookClient


def is_result(output):
    """Whether an output is one that the page shows."""
    noise = output.get("text", "").startswith("WARNING:tensorflow")
    return output.get("name") != "stderr" and not noise


for script in sorted((Path(__file__).parents[1] / "docs/notebooks").glob("*.py")):
    print(f"execute {script.name}")
    notebook = jupytext.read(script)
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        NotebookClient(notebook, kernel_name="python3", resources=resources).execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [out for out in cell.outputs if is_result(out)]
            cell.metadata.pop("execution", None)  # times, which differ at each run
    jupytext.write(notebook, script.with_suffix(".ipynb"))
