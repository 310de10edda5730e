"""Conventional registration methods as rows beside the networks; `mmzoo baseline` runs them.

One tool a file, named in `tools.py`; all else here is the same for every tool.
"""

from mmzoo.baselines.run import BaselineRun, run_baseline

__all__ = ["BaselineRun", "run_baseline"]
