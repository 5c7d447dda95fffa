import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from core.config import MAP_METRICS, METRICS
from core.nearness import EVERY, Metric, metric_named

THERE = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
HERE = np.concatenate([THERE[:2], np.random.default_rng(1).normal(size=(3, 4))]).astype(np.float32)
ON_MAPS = [metric for metric in EVERY if metric.on_maps]
SCIPYS = {"cosine": "cosine", "euclidean": "euclidean", "manhattan": "cityblock"}


@pytest.mark.parametrize("metric", ON_MAPS, ids=lambda metric: metric.name)
def test_distances_on_maps_are_scipys_and_turn_the_scores_around(metric: Metric) -> None:
    found = metric.distances(metric.prepared(HERE), metric.prepared(THERE))
    np.testing.assert_allclose(found, cdist(HERE, THERE, SCIPYS[metric.name]), atol=2e-3)
    scores = metric.scores(torch.from_numpy(HERE), torch.from_numpy(THERE)).numpy()
    expected = 1 - scores if metric.by_direction else -scores
    np.testing.assert_allclose(found, expected, atol=2e-3)


@pytest.mark.parametrize("metric", EVERY, ids=lambda metric: metric.name)
def test_only_a_distance_is_negated_and_says_so(metric: Metric) -> None:
    scores = metric.scores(torch.from_numpy(HERE), torch.from_numpy(THERE))
    assert bool((scores <= 0).all()) == metric.is_distance
    assert ("negated" in metric.note) == metric.is_distance
    long = metric.scores(3 * torch.from_numpy(HERE), torch.from_numpy(THERE))
    assert torch.allclose(long, scores, atol=1e-6) == metric.by_direction


def test_what_settings_offer_is_every_metric_there_is() -> None:
    assert [metric_named(name).name for name in METRICS] == [metric.name for metric in EVERY]
    assert set(MAP_METRICS) == {metric.name for metric in ON_MAPS}
    assert len({metric.title for metric in EVERY}) == len(EVERY)
