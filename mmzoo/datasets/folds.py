"""Cross-validation folds: training, validation and test cases, and the pairs of each split."""

import numpy as np

SPLITS = ("train", "valid", "test")
Fold = dict[str, dict[str, list[str]]]


def make_folds(
    moving: list[str], fixed: list[str], num_folds: int, num_valid: int, num_test: int = 0
) -> list[Fold]:
    """Split people into folds for cross-validation, in the order of their names.

    Each person is tested in exactly one fold; the next ``num_valid`` people of each modality
    validate and the rest train. With ``num_test`` the last so many people are the test set of every
    fold, and folds differ in who of the others validates and trains.

    Args:
        moving: case names of the moving modality.
        fixed: case names of the fixed modality; other people than the moving ones.
        num_folds: number of folds, two or more.
        num_valid: people of each modality in the validation split.
        num_test: people of each modality in the test set that all folds share; 0 for none.

    Raises:
        ValueError: if no one would be left to train or test on, or people would have to validate
            in two of the folds that share a test set.
    """
    if num_test:
        return _folds_of_one_test_set(moving, fixed, num_folds, num_valid, num_test)
    for name, cases in (("moving", moving), ("fixed", fixed)):
        num_test = -(-len(cases) // max(num_folds, 1))
        if num_folds < 2 or num_valid < 0 or len(cases) < max(num_folds, num_test + num_valid + 1):
            raise ValueError(
                f"{len(cases)} {name} cases cannot be split into {num_folds} folds with "
                f"{num_valid} for validation; each fold needs at least one to test and one to "
                f"train on. Use 2 or more folds, and more cases, fewer folds or fewer to validate."
            )
    return [
        _merge(_split(moving, num_folds, num_valid, k), _split(fixed, num_folds, num_valid, k))
        for k in range(num_folds)
    ]


def _folds_of_one_test_set(moving, fixed, num_folds: int, num_valid: int, num_test: int):
    for name, cases in (("moving", moving), ("fixed", fixed)):
        needed = max(num_folds * num_valid, num_valid + 1)
        if min(num_folds, num_test) < 1 or num_valid < 0 or len(cases) - num_test < needed:
            raise ValueError(
                f"{len(cases)} {name} cases cannot be split into {num_test} to test in every fold "
                f"and {num_folds} folds with {num_valid} of their own each for validation, and at "
                "least one to train on. Use more cases, or fewer folds, to validate or to test."
            )

    def split(cases: list[str], k: int) -> dict[str, list[str]]:
        others, test = cases[: len(cases) - num_test], cases[len(cases) - num_test :]
        valid = others[k * num_valid : (k + 1) * num_valid]
        train = [case for case in others if case not in valid]
        return {"train": train, "valid": valid, "test": test}

    return [_merge(split(moving, k), split(fixed, k)) for k in range(num_folds)]


def _split(cases: list[str], num_folds: int, num_valid: int, k: int) -> dict[str, list[str]]:
    blocks = np.array_split(np.arange(len(cases)), num_folds)
    turned = np.roll(np.arange(len(cases)), -blocks[k][0])
    num_test = len(blocks[k])
    ends = {"test": turned[:num_test], "valid": turned[num_test : num_test + num_valid]}
    ends["train"] = turned[num_test + num_valid :]
    return {split: [cases[i] for i in sorted(ends[split])] for split in SPLITS}


def _merge(moving: dict[str, list[str]], fixed: dict[str, list[str]]) -> Fold:
    return {split: {"moving": moving[split], "fixed": fixed[split]} for split in SPLITS}


def one_split(
    moving: list[str], fixed: list[str], counts: tuple[int, int, int], fewest: int = 1
) -> list[Fold]:
    """Split people once: the first to train, the next to validate, the last to test.

    Args:
        moving: case names, in the order they are split in.
        fixed: the same.
        counts: people to train, to validate and to test; scaled in proportion to the number of
            cases.
        fewest: people it takes to make a pair.

    Raises:
        ValueError: if no one would be left to train or test on.
    """
    return [_merge(*(_parts(cases, counts, fewest) for cases in (moving, fixed)))]


def _parts(cases: list[str], counts: tuple[int, int, int], fewest: int) -> dict[str, list[str]]:
    total = sum(counts)
    valid, test = (
        count if len(cases) == total else round(count * len(cases) / total) for count in counts[1:]
    )
    test = max(test, fewest)
    valid = min(valid, max(len(cases) - test - fewest, 0))
    train = len(cases) - valid - test
    if train < fewest:
        raise ValueError(
            f"{len(cases)} cases cannot be split in proportions of {counts}: too few would be left "
            "to train on. Use more cases, or `folds`."
        )
    ends = {"train": cases[:train], "valid": cases[train : train + valid]}
    return ends | {"test": cases[train + valid :]}


def without_split(moving: list[str], fixed: list[str]) -> list[Fold]:
    """Return one fold that trains and tests on the same people, all of them."""
    everyone = {"moving": moving, "fixed": fixed}
    no_one: dict[str, list[str]] = {"moving": [], "fixed": []}
    return [{"train": everyone, "valid": no_one, "test": dict(everyone)}]


def split_pairs(names: dict[str, list[str]], pairing: str = "all") -> list[tuple[str, str]]:
    """Return the pairs of a split.

    Args:
        names: moving and fixed cases; for "same" and "others", entries of equal index are of one
            person.
        pairing: "all" (every moving case with every fixed one), "same" (of one person) or "others"
            (of two persons).
    """
    if pairing == "same":
        return list(zip(names["moving"], names["fixed"], strict=True))
    return [
        (moving, fixed)
        for k, moving in enumerate(names["moving"])
        for j, fixed in enumerate(names["fixed"])
        if pairing == "all" or k != j
    ]
