"""The expected tables were written by plain DeepReg 0.1.2 with pandas 1.2 for the same numbers."""

import numpy as np
from deepreg.util import save_metric_dict

UNLABELLED = [
    {
        "image_ssd": np.float32(0.5 + i),
        "label_binary_dice": None,
        "label_tre": None,
        "pair_index": [i],
        "label_index": -1,
    }
    for i in range(3)
]


def test_unlabelled_tables_are_those_of_pandas_1(tmp_path):
    save_metric_dict(str(tmp_path), UNLABELLED)
    assert (tmp_path / "metrics.csv").read_text() == (
        "image_ssd,label_binary_dice,label_tre,pair_index,label_index\n"
        "0.5,,,[0],-1\n1.5,,,[1],-1\n2.5,,,[2],-1\n"
    )
    assert (tmp_path / "metrics_stats_per_label.csv").read_text() == (
        "label_index,image_ssd_mean,image_ssd_median,image_ssd_std\n-1,1.5,1.5,1.0\n"
    )
    assert (tmp_path / "metrics_stats_overall.csv").read_text().splitlines()[:4] == [
        ",image_ssd",
        "count,3.0",
        "mean,1.5",
        "std,1.0",
    ]


def test_labelled_tables_keep_every_metric(tmp_path):
    rows = [{**row, "label_binary_dice": 0.25 * k} for k, row in enumerate(UNLABELLED)]
    rows = [{**row, "label_tre": float("nan")} for row in rows]  # an empty label, not an absent one
    save_metric_dict(str(tmp_path), rows)
    header = (tmp_path / "metrics_stats_per_label.csv").read_text().splitlines()[0]
    assert "label_binary_dice_mean" in header
    assert "label_tre_mean" in header
