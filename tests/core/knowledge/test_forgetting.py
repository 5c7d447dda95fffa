"""What tuning moves and loses is measured, from where it began, and nothing is where none was."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from core.encoder.encoder import Encoder
from core.frozen.prefix import Prefix, open_prefix, prefix_of
from core.knowledge.forgetting import (
    Yardstick,
    forgetting,
    own_sample,
    pretrained,
    tuned,
    untouched,
)
from core.knowledge.probe import Probe, load_probe
from core.measures.metrics import bootstrap_interval

PROBE = Probe(
    pairs=(
        ("a man is eating food", "a man is eating a meal"),
        ("the ferry left late", "the chip maker cut shares"),
        ("boats were delayed by fog", "fog delayed the boats"),
        ("it cut its forecast", "a woman sang"),
        ("a woman is eating", "a man is eating"),
        ("nobody sang", "shares fell nine per cent"),
    ),
    grades=(5, 0, 4.5, 0.5, 3, 0),
    sentences=("the band sang", "the fog", "a meal for nobody", "it left behind the fog"),
)
OWN = ("naïve sushi chefs", "shares fell", "shares fell", "the ferry and a woman")


@pytest.fixture(scope="module")
def yardstick(tiny_encoder: Encoder) -> Yardstick:
    return Yardstick(PROBE, OWN, tiny_encoder.tokenizer)


@pytest.fixture(scope="module")
def prefix(tiny_encoder: Encoder, yardstick: Yardstick) -> Prefix:
    made = prefix_of(tiny_encoder, yardstick.ids)
    made.compute(yardstick.needs(tiny_encoder.layers, [None, 0, 1, 2]))
    return made


def tuned_above(encoder: Encoder, depth: int | None) -> Encoder:
    """Change every weight above a layer, as a training that froze up to it would."""
    twin = encoder.with_pooling(None)
    twin.backbone = copy.deepcopy(encoder.backbone)
    torch.manual_seed(1)
    with torch.no_grad():
        for layer in twin.backbone.layers()[depth or 0 :]:
            for weight in layer.parameters():
                weight += 0.3 * torch.randn_like(weight)
        if depth is None:
            for weight in twin.backbone.embeddings.parameters():
                weight += 0.3 * torch.randn_like(weight)
    return twin.ready()


@pytest.mark.parametrize("depth", [None, 0, 1, 2])
def test_a_tuned_encoder_is_run_from_where_it_was_frozen_and_embeds_as_it_does(
    tiny_encoder: Encoder, yardstick: Yardstick, prefix: Prefix, depth: int | None
) -> None:
    changed = tuned_above(tiny_encoder, depth)
    places = prefix.texts.places(yardstick.ids)
    texts = [each for pair in PROBE.pairs for each in pair]
    texts += [*PROBE.sentences, *yardstick.own]
    found = tuned(changed, prefix, places, depth)
    torch.testing.assert_close(found.vectors, changed.embed(texts), rtol=1e-4, atol=1e-5)
    before = pretrained(tiny_encoder, prefix, places)
    torch.testing.assert_close(before.vectors, tiny_encoder.embed(texts), rtol=1e-4, atol=1e-5)
    kept = 0 if depth is None else depth + 1
    assert bool((found.by_layer[:kept] == before.by_layer[:kept]).all())
    assert not torch.allclose(found.by_layer[kept:], before.by_layer[kept:], atol=1e-3)


def test_tuning_shows_as_drift_by_layer_and_in_full(
    tiny_encoder: Encoder, yardstick: Yardstick, prefix: Prefix
) -> None:
    found = yardstick.measure(tuned_above(tiny_encoder, 1), prefix, 1)
    assert found.probe.cka_by_layer[:2] == (1.0, 1.0)
    assert all(cka < 0.999 for cka in found.probe.cka_by_layer[2:])
    assert found.probe.cka < 0.999
    assert found.probe.rank_agreement < 0.999
    assert found.pretrained is not None
    assert found.tuned is not None
    assert found.forgetting.mean == pytest.approx(found.pretrained - found.tuned)
    assert found.forgetting.low <= found.forgetting.mean <= found.forgetting.high
    assert found.data is not None
    document = json.loads(json.dumps(found.document()))
    assert set(document["drift"]["probe"]) == {
        "cka",
        "cka_by_layer",
        "rank_agreement",
        "neighbours_kept",
    }
    assert set(document["forgetting"]) == {"mean", "low", "high"}
    again = yardstick.measure(tuned_above(tiny_encoder, 1), prefix, 1)
    assert again == found, "the same seed draws the same pairs"


def test_an_encoder_that_was_not_tuned_has_lost_nothing(
    tiny_encoder: Encoder, yardstick: Yardstick, prefix: Prefix
) -> None:
    found = yardstick.measure(tiny_encoder, prefix, None)
    assert found.forgetting.mean == pytest.approx(0, abs=1e-9)
    assert found.probe.cka == pytest.approx(1)
    assert found.probe.neighbours_kept == 3, "of four sentences each has three neighbours"


def test_where_the_encoder_is_frozen_nothing_is_computed_and_everything_is_exact(
    tiny_encoder: Encoder, yardstick: Yardstick
) -> None:
    empty = prefix_of(tiny_encoder, [])
    found = yardstick.measure(tiny_encoder, empty, tiny_encoder.layers)
    assert found == untouched(tiny_encoder.layers, 3)
    assert (found.forgetting.mean, found.forgetting.low, found.forgetting.high) == (0, 0, 0)
    assert found.probe.cka_by_layer == (1.0,) * 4
    assert empty.kept == frozenset()


def test_another_process_can_measure_from_a_shared_prefix(
    tiny_encoder: Encoder, yardstick: Yardstick
) -> None:
    changed = tuned_above(tiny_encoder, 2)
    with prefix_of(tiny_encoder, yardstick.ids) as made:
        made.compute(yardstick.needs(tiny_encoder.layers, [2]))
        expected = yardstick.measure(changed, made, 2)
        with open_prefix(made.share()) as opened:
            assert yardstick.measure(changed, opened, 2) == expected


def test_few_own_sentences_say_nothing_of_drift(tiny_encoder: Encoder) -> None:
    lone = Yardstick(PROBE, ["one", "one", " "], tiny_encoder.tokenizer)
    assert lone.own == ["one"]
    assert lone.measure(tiny_encoder, prefix_of(tiny_encoder, []), 3).data is None


def test_own_sentences_are_bounded_and_the_same_each_time() -> None:
    many = [f"sentence {number}" for number in range(1000)]
    drawn = own_sample(many, 50)
    assert len(set(drawn)) == 50
    assert drawn == own_sample(many, 50)
    assert drawn == sorted(drawn, key=many.index)
    assert own_sample(["b", "a", "b", "  "], 50) == ["b", "a"]


def test_forgetting_is_the_loss_of_spearman_and_its_interval_a_paired_bootstrap_s() -> None:
    from scipy.stats import spearmanr

    generator = np.random.default_rng(0)
    grades = generator.integers(0, 11, 80) / 2
    before = grades + generator.normal(size=80)
    after = grades + 3 * generator.normal(size=80)

    def lost(rows: np.ndarray) -> float:
        scores = [spearmanr(each[rows], grades[rows]).statistic for each in (before, after)]
        return float(scores[0] - scores[1])

    found = forgetting(before, after, grades)
    expected = bootstrap_interval(lost, 80, samples=1500)
    assert found.mean == pytest.approx(expected.mean)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.03)
    assert found.low > 0, "so large a loss is shown"
    assert forgetting(before, before, grades).high == 0


def test_the_shipped_probe_is_read_whole() -> None:
    probe = load_probe()
    assert (len(probe.pairs), len(probe.sentences)) == (294, 360)
    assert set(probe.grades) == {half / 2 for half in range(11)}
    assert probe.pairs[0] == (
        "A boy on a skateboard jumps down three steps.",
        "A teenager leaps off a short flight of stairs on his skateboard.",
    )


@pytest.mark.parametrize("line", ["6\ta\tb\tnote", "nan\ta\tb\tnote", "3\ta\tb", "x\ta\tb\tn"])
def test_a_probe_whose_line_is_broken_is_refused_with_its_number(tmp_path: Path, line: str) -> None:
    (tmp_path / "pairs.tsv").write_text(f"grade\ta\tb\tnote\n1\ta\tb\tn\n{line}\n")
    (tmp_path / "sentences.txt").write_text("one\ntwo\nthree\n")
    with pytest.raises(ValueError, match="line 3"):
        load_probe(tmp_path)
