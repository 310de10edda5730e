from benchmarks.registration.page import write_page


def row(method, dice, key="heart-0", **more):
    figures = {"tre_mm": float("nan"), "dice": dice, "folding_percent": 0.0}
    spent = {"seconds": 10.0, "processor_seconds": 12.0, "memory_mb": 500.0}
    return {"key": key, "group": "heart", "pair": key, "method": method, **figures, **spent, **more}


def test_the_page_counts_pairs_and_kinds_and_says_what_gave_up(tmp_path):
    results = [
        row("before", 0.4),
        row("mmzoo register", 0.8),
        row("ANTs SyN", 0.7, processor_seconds=24.0),
        row("mmzoo register", 0.6, "heart-1"),
        row("ANTs SyN", 0.7, "heart-1", processor_seconds=24.0),
    ]
    gone = {"key": "heart-0", "group": "heart", "pair": "heart-0", "method": "elastix"}
    text = write_page(tmp_path, results, [{**gone, "failed": "Too many samples"}]).read_text()
    assert "| ANTs SyN | 1 of 2 pairs | 0 of 1 kinds | 2.0 times ours |" in text
    assert "* elastix, heart-0: Too many samples" in text
    assert "| heart-0 | mmzoo register | **0.800** |" in text
