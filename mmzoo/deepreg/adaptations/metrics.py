"""Adaptation of the tables that a prediction writes."""

import os

import pandas as pd

from mmzoo.deepreg.adaptations.wrapping import wrapping


def leave_absent_metrics_out(util) -> None:
    """Let unlabelled predictions be summarised under pandas 2 and later.

    Without labels the Dice score and the landmark error are None. pandas 1 silently drops such
    columns from means and deviations, later versions raise a TypeError. They are dropped before
    that; the table of pairs keeps the empty columns.
    """

    @wrapping(util, "save_metric_dict")
    def save_metric_dict(original, save_dir, metrics):
        present = {key for row in metrics for key, value in row.items() if value is not None}
        original(save_dir, [{k: v for k, v in row.items() if k in present} for row in metrics])
        pd.DataFrame(metrics).to_csv(os.path.join(save_dir, "metrics.csv"), index=False)
