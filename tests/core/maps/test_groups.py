import numpy as np
import pytest

from core.maps.groups import NO_GROUP, by_size, dense_groups, k_means_groups

KINDS = np.repeat([0, 1, 2], [30, 20, 10])
POINTS = (5 * np.eye(3, 6)[KINDS] + 0.1 * np.random.default_rng(0).normal(size=(60, 6))).astype(
    "f4"
)


def test_groups_that_stand_apart_are_found_and_the_largest_comes_first() -> None:
    assert k_means_groups(POINTS, 3).tolist() == KINDS.tolist()
    assert dense_groups(POINTS[:, :2]).tolist() == KINDS.tolist()


def test_a_point_that_stands_alone_is_in_no_dense_group() -> None:
    found = dense_groups(np.vstack([POINTS[:, :2], [[40, 40]]]).astype("f4"))
    assert found[-1] == NO_GROUP


def test_few_points_have_no_dense_group() -> None:
    assert set(dense_groups(POINTS[:9, :2]).tolist()) == {NO_GROUP}


@pytest.mark.parametrize("groups", [1, 61])
def test_groups_out_of_range_are_refused(groups: int) -> None:
    with pytest.raises(ValueError, match=f"groups is {groups}, must be 2 to 60"):
        k_means_groups(POINTS, groups)


def test_ties_keep_their_order() -> None:
    assert by_size(np.array([2, 2, 0, -1, 0])).tolist() == [0, 0, 1, -1, 1]
