import multiprocessing
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch

from core.encoder.encoder import CancelledError, Encoder, load_encoder
from core.encoder.packed import PackableLinear, can_pack, pool_packed
from core.frozen.distinct_texts import DistinctTexts
from core.frozen.prefix import TOKENS, Prefix, States, open_prefix, prefix_of
from tests.tiny_models import LAYERS, TEXTS

SENTENCES = (*TEXTS, "It works.", "a", "man " * 100, "It works.")
EVERY = frozenset(States(k, form) for k in range(LAYERS + 1) for form in (TOKENS, "mean", "cls"))


def ids_of(encoder: Encoder, texts: Sequence[str] = SENTENCES) -> list[list[int]]:
    return [tokens.ids for tokens in encoder.tokenizer.encode(texts)]


def tokens_of(*layers: int) -> frozenset[States]:
    return frozenset(States(layer) for layer in layers)


def same(first: Prefix, second: Prefix, states: frozenset[States]) -> bool:
    every = range(len(first.texts))
    return all(torch.equal(first.take(every, each), second.take(every, each)) for each in states)


@pytest.mark.parametrize(
    "family", ["minilm", "distilbert", "roberta-base", "mpnet", "stella-1.5b", "bge-large"]
)
def test_a_prefix_holds_the_states_of_each_text_alone_in_any_order(
    family: str, family_folder: Callable[[str], Path]
) -> None:
    encoder = load_encoder(str(family_folder(family)))
    ids = ids_of(encoder)
    with prefix_of(encoder, ids) as prefix:
        prefix.compute(EVERY)
        for rows in ([4], [7, 0, 3], list(range(len(ids)))[::-1]):
            places = prefix.texts.places([ids[row] for row in rows])
            for layer in range(LAYERS + 1):
                taken = prefix.take(places, States(layer))
                pooled = {how: prefix.take(places, States(layer, how)) for how in ("mean", "cls")}
                at = 0
                for number, row in enumerate(rows):
                    one = torch.tensor([ids[row]])
                    with torch.no_grad():
                        states = encoder.backbone.layer_states(one, torch.ones_like(one), LAYERS)
                    alone = states[layer][0]
                    found = taken[at : at + len(ids[row])]
                    torch.testing.assert_close(found, alone, atol=2e-6, rtol=2e-5)
                    for how, each in pooled.items():
                        expected = pool_packed(alone, torch.tensor([len(alone)]), how)[0]
                        torch.testing.assert_close(each[number], expected, atol=2e-6, rtol=2e-5)
                    at += len(ids[row])
                assert len(taken) == at


@pytest.mark.parametrize("family", ["minilm", "distilbert", "mpnet", "stella-1.5b"])
def test_whoever_asks_first_and_for_what_changes_no_bit(
    family: str, family_folder: Callable[[str], Path]
) -> None:
    encoder = load_encoder(str(family_folder(family)))
    ids = ids_of(encoder)
    with prefix_of(encoder, ids) as at_once, prefix_of(encoder, ids[::-1]) as bit_by_bit:
        at_once.compute(EVERY)
        for states in ({States(1)}, {States(3, "mean"), States(0)}, {States(2)}, EVERY):
            bit_by_bit.compute(frozenset(states))
        assert same(at_once, bit_by_bit, EVERY)


def test_a_prefix_is_the_same_of_an_encoder_that_is_about_to_train(
    family_folder: Callable[[str], Path],
) -> None:
    encoder = load_encoder(str(family_folder("minilm")))
    ids = ids_of(encoder)
    linears = [each for each in encoder.modules() if isinstance(each, PackableLinear)]
    with prefix_of(encoder, ids) as at_rest, prefix_of(encoder, ids) as training:
        at_rest.compute(EVERY)
        encoder.requires_grad_(True).train()
        for each in linears:
            each.unpack()
        training.compute(EVERY)
        assert all(weight.requires_grad for weight in encoder.parameters())
        assert all(module.training for module in encoder.modules())
        assert linears
        assert all(each._packed is not None for each in linears if can_pack(each.weight))
        assert same(at_rest, training, EVERY)


def test_deeper_states_are_made_from_shallower_ones_and_each_text_runs_once(
    tiny_encoder: Encoder,
) -> None:
    ran: list[tuple[int, int]] = []
    layers = tiny_encoder.backbone.layers()
    hooks = [
        layer.register_forward_hook(lambda *args, n=number: ran.append((n, len(args[1][0]))))
        for number, layer in enumerate(layers, 1)
    ]
    twice = ids_of(tiny_encoder) * 2
    with prefix_of(tiny_encoder, twice) as prefix:
        prefix.compute(tokens_of(1))
        assert {number for number, _ in ran} == {1}, "nothing above is run"
        once = {tuple(each) for each in twice}
        assert sum(tokens for _, tokens in ran) == sum(map(len, once))
        ran.clear()
        prefix.compute(tokens_of(3))
        assert {number for number, _ in ran} == {2, 3}
        ran.clear()
        prefix.compute(tokens_of(1, 3) | {States(3, "mean"), States(1, "cls")})
        assert not ran, "what is kept only has to be pooled"
    for hook in hooks:
        hook.remove()


def test_states_of_a_prefix_take_part_in_training(tiny_encoder: Encoder) -> None:
    with prefix_of(tiny_encoder, ids_of(tiny_encoder)) as prefix:
        prefix.compute(tokens_of(1))
        kept = prefix.take([0], States(1))
        assert not kept.requires_grad
        weight = torch.ones(tiny_encoder.hidden, requires_grad=True)
        (kept @ weight).sum().backward()  # what inference mode made would refuse
        assert weight.grad is not None


def test_past_its_budget_a_prefix_lies_in_files_is_the_same_and_leaves_none_behind(
    tiny_encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ids = ids_of(tiny_encoder)
    in_memory = prefix_of(tiny_encoder, ids)
    in_memory.compute(EVERY)
    assert not in_memory.in_files
    assert not list(tmp_path.iterdir())
    size = 4 * tiny_encoder.hidden * len(in_memory.texts)
    with prefix_of(tiny_encoder, ids, memory_bytes=size) as in_files:
        in_files.compute(frozenset({States(2, "mean")}))
        assert not in_files.in_files, "it just fits"
        in_files.compute(EVERY)
        assert in_files.in_files
        assert len(list(tmp_path.rglob("*.f32"))) == len(EVERY) - 1
        assert same(in_memory, in_files, EVERY)
    assert not list(tmp_path.iterdir())
    in_files.close()  # twice does no harm


def test_a_stopped_or_failed_pass_keeps_what_was_there_and_leaves_nothing_behind(
    tiny_encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ids = ids_of(tiny_encoder)

    def fail(*_: int) -> None:
        raise KeyboardInterrupt

    with prefix_of(tiny_encoder, ids, memory_bytes=1) as prefix:
        prefix.compute(tokens_of(1))
        with pytest.raises(CancelledError, match=f"stopped after 0 of {len(prefix.texts)}"):
            prefix.compute(tokens_of(2), cancelled=lambda: True)
        with pytest.raises(KeyboardInterrupt):
            prefix.compute(tokens_of(2), progress=fail)
        assert prefix.kept == tokens_of(1)
        prefix.compute(tokens_of(2))
        assert prefix.kept == tokens_of(1, 2)
    assert not list(tmp_path.iterdir())
    assert not tiny_encoder.busy.locked()


@pytest.mark.parametrize("layer", [-1, 4])
def test_frozen_layers_that_are_not_there_are_refused(layer: int, tiny_encoder: Encoder) -> None:
    with (
        prefix_of(tiny_encoder, ids_of(tiny_encoder)) as prefix,
        pytest.raises(ValueError, match="must be some of 0 to 3"),
    ):
        prefix.compute(tokens_of(layer, 1))


def test_texts_without_a_token_take_no_room_in_a_prefix(tiny_encoder: Encoder) -> None:
    every = frozenset({States(2), States(2, "mean"), States(2, "cls")})
    with prefix_of(tiny_encoder, [[], [2, 5, 3], []]) as prefix:
        prefix.compute(every)
        empty, some = prefix.texts.places([[], [2, 5, 3]])
        assert len(prefix.take([empty], States(2))) == 0
        assert len(prefix.take([empty, some, empty], States(2))) == 3
        assert prefix.take([empty], States(2, "mean")).eq(0).all()
        assert prefix.take([empty], States(2, "cls")).eq(0).all()
        assert len(prefix.take([], States(2))) == 0
    with prefix_of(tiny_encoder, [[]], memory_bytes=-1) as prefix:
        prefix.compute(every)
        assert len(prefix.take([0], States(2))) == 0, "no file can be mapped that holds nothing"


def test_an_encoder_that_has_trained_since_is_refused(
    family_folder: Callable[[str], Path],
) -> None:
    encoder = load_encoder(str(family_folder("minilm")))
    with prefix_of(encoder, ids_of(encoder)) as prefix:
        prefix.compute(tokens_of(1))
        with torch.no_grad():
            encoder.backbone.layers()[-1].output.LayerNorm.bias += 1
        with pytest.raises(ValueError, match="make a prefix of this encoder, before it trains"):
            prefix.check_encoder(encoder)
        with pytest.raises(ValueError, match="make a prefix of this encoder, before it trains"):
            prefix.compute(tokens_of(2))
        prefix.compute(tokens_of(1))  # what is kept is still true


def test_texts_are_found_by_what_they_are_and_a_missing_one_is_counted() -> None:
    texts = DistinctTexts([[5, 6], [1], [5, 6], [9, 9, 9], [5, 4]])
    assert texts.ids == [[9, 9, 9], [5, 4], [5, 6], [1]]
    assert texts.starts == [0, 3, 5, 7, 8]
    assert texts.places([[1], [5, 6], [1]]) == [3, 2, 3]
    with pytest.raises(ValueError, match="2 of 3 texts are not in the prefix of 4 texts"):
        texts.places([[1], [2], [7]])


def read_elsewhere(folder: Path, answers: "multiprocessing.Queue[object]") -> None:
    with open_prefix(folder) as prefix:
        taken = prefix.take(range(len(prefix.texts)), States(1)).numpy()
        try:
            prefix.compute(tokens_of(2))
        except ValueError as error:
            answers.put((prefix.fingerprint, prefix.texts.ids, taken, str(error)))


def test_another_process_reads_a_shared_prefix_and_computes_none(
    tiny_encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with prefix_of(tiny_encoder, ids_of(tiny_encoder)) as prefix:
        prefix.compute(tokens_of(1))
        before = prefix.take(range(len(prefix.texts)), States(1))
        folder = prefix.share()
        context = multiprocessing.get_context("spawn")
        answers: multiprocessing.Queue[object] = context.Queue()
        other = context.Process(target=read_elsewhere, args=(folder, answers))
        other.start()
        fingerprint, ids, taken, refused = answers.get(timeout=60)  # type: ignore[misc]
        other.join()
        assert (fingerprint, ids) == (tiny_encoder.fingerprint(), prefix.texts.ids)
        assert torch.equal(torch.from_numpy(taken), before)
        assert "lacks tokens-2.f32: compute it first" in refused
    assert not list(tmp_path.iterdir())


def test_a_shared_prefix_shows_what_its_maker_computes_later(tiny_encoder: Encoder) -> None:
    with prefix_of(tiny_encoder, [*ids_of(tiny_encoder), []]) as prefix:
        folder = prefix.share()
        with open_prefix(folder) as reader:
            with pytest.raises(ValueError, match=r"lacks tokens-1\.f32, mean-2\.f32"):
                reader.compute(frozenset({States(1), States(2, "mean")}))
            prefix.compute(EVERY)
            reader.compute(EVERY)
            assert same(prefix, reader, EVERY)
            before = prefix.take([0], States(0))
            reader._kept[States(0)].zero_()
            assert torch.equal(prefix.take([0], States(0)), before), "a reader writes nothing"
    with pytest.raises(ValueError, match="holds no prefix"):
        open_prefix(folder)
