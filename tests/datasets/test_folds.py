import pytest
from helpers_layout import names

from mmzoo.datasets.folds import SPLITS, make_folds


@pytest.mark.parametrize(("count", "num_folds", "num_valid"), [(20, 4, 2), (7, 3, 1), (2, 2, 0)])
def test_each_person_is_tested_once_and_is_in_one_split_of_a_fold(count, num_folds, num_valid):
    folds = make_folds(names("mr", count), names("ct", count), num_folds, num_valid)
    tested = []
    for fold in folds:
        for role, modality in (("moving", "mr"), ("fixed", "ct")):
            everyone = [case for split in SPLITS for case in fold[split][role]]
            assert sorted(everyone) == names(modality, count)
            assert len(fold["valid"][role]) == num_valid
            assert fold["train"][role] and fold["test"][role]
        tested += fold["test"]["moving"]
    assert sorted(tested) == names("mr", count)


@pytest.mark.parametrize(("count", "num_folds", "num_valid"), [(4, 1, 0), (3, 4, 0), (4, 2, 2)])
def test_folds_that_leave_no_one_are_refused(count, num_folds, num_valid):
    with pytest.raises(ValueError, match=f"{count} moving cases cannot be split into {num_folds}"):
        make_folds(names("mr", count), names("ct", count), num_folds, num_valid)


# === One test set for all folds ===


def test_folds_may_share_their_test_people_and_differ_in_who_validates():
    folds = make_folds(names("ct", 49), names("mr", 49), 3, 9, 9)
    assert len(folds) == 3
    validated = []
    for fold in folds:
        for role, modality in (("moving", "ct"), ("fixed", "mr")):
            assert fold["test"][role] == names(modality, 49)[40:]
            assert len(fold["train"][role]) == 31
            everyone = [case for split in SPLITS for case in fold[split][role]]
            assert sorted(everyone) == names(modality, 49)
        validated += fold["valid"]["moving"]
    assert len(set(validated)) == 27


def test_a_shared_test_set_needs_no_more_than_one_fold():
    (fold,) = make_folds(names("ct", 3), names("mr", 3), 1, 0, 1)
    assert fold["train"]["fixed"] == ["mr_000", "mr_001"] and fold["test"]["fixed"] == ["mr_002"]


@pytest.mark.parametrize(
    "counts", [(2, 1, 3), (1, 3, 1), (1, 0, 4), (0, 1, 1), (1, -1, 1), (1, 0, -1)]
)
def test_shared_test_sets_that_leave_no_one_are_refused(counts):
    with pytest.raises(ValueError, match="4 moving cases cannot be split into"):
        make_folds(names("mr", 4), names("ct", 4), *counts)
