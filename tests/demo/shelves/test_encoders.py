import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from core.config import EncoderChoice
from demo.shelves.encoders import PLACES, EncoderShelf, name_of, with_second


def test_visitors_share_one_encoder_even_when_they_ask_at_once(
    family_folder: Callable[[str], Path],
) -> None:
    choice = EncoderChoice(name=str(family_folder("minilm")))
    shelf = EncoderShelf(choice, local=True)
    found = []
    threads = [threading.Thread(target=lambda: found.append(shelf.get(choice))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(encoder is found[0] for encoder in found)
    assert shelf.is_ready(choice)


def test_another_pooling_shares_the_weights(family_folder: Callable[[str], Path]) -> None:
    choice = EncoderChoice(name=str(family_folder("minilm")))
    shelf = EncoderShelf(choice, local=True)
    other = shelf.get(EncoderChoice(name=choice.name, pooling="max", normalize=False))
    assert (other.pooling, other.normalized) == ("max", False)
    assert other.backbone is shelf.get(choice).backbone


def test_few_encoders_stay_and_the_default_is_one_of_them(
    family_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    default = EncoderChoice(name=str(family_folder("minilm")))
    shelf = EncoderShelf(default, local=True)
    shelf.get(default)
    others = []
    for index in range(PLACES + 1):
        link = tmp_path / f"encoder-{index}"
        link.symlink_to(family_folder("minilm"), target_is_directory=True)
        others.append(EncoderChoice(name=str(link)))
        shelf.get(others[-1])
    assert shelf.is_ready(default)
    assert [shelf.is_ready(choice) for choice in others] == [False, False, True, True]


def test_a_visitor_of_an_open_page_learns_nothing_of_its_folders(
    family_folder: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner").mkdir()
    (tmp_path / "owner" / "here").mkdir()
    shelf = EncoderShelf(EncoderChoice(), local=False)
    said = []
    for name in ("owner/here", "owner/gone"):
        with pytest.raises(ValueError, match="this page is open to others") as error:
            shelf.get(EncoderChoice(name=name))
        said.append(str(error.value).replace(name, "…"))
    assert said[0] == said[1], "a folder that is there must read like one that is not"
    for path in (str(family_folder("minilm")), "/etc", "../..", "~"):
        with pytest.raises(ValueError, match="this page is open to others"):
            shelf.get(EncoderChoice(name=path))


def test_an_open_page_still_has_what_its_owner_started_it_with(
    family_folder: Callable[[str], Path],
) -> None:
    default = EncoderChoice(name=str(family_folder("minilm")))
    assert EncoderShelf(default, local=False).get(default).name == default.name


def test_a_failed_load_is_tried_again(tmp_path: Path) -> None:
    shelf = EncoderShelf(EncoderChoice(), local=True)
    for _ in range(2):
        with pytest.raises(ValueError, match="no model folder"):
            shelf.get(EncoderChoice(name=str(tmp_path)))


def test_a_choice_is_named_with_what_was_changed() -> None:
    assert name_of(EncoderChoice()) == "MiniLM, mean pooling"
    changed = EncoderChoice(name="bge-large", pooling="max", normalize=False)
    assert name_of(changed) == "BGE large, max pooling, not normalised"


def test_the_second_is_nothing_a_pooling_or_an_encoder() -> None:
    choice = EncoderChoice(normalize=False)
    assert with_second(choice, "") is None
    assert with_second(choice, "pooling:cls") == EncoderChoice(pooling="cls", normalize=False)
    assert with_second(choice, "mpnet") == EncoderChoice(name="mpnet")
    with pytest.raises(ValueError, match="pooling is 'median'"):
        with_second(choice, "pooling:median")
