from collections.abc import Callable
from pathlib import Path

import gradio as gr
import pytest

from core.config import EncoderChoice
from core.encoder.catalogue import CATALOGUE
from demo.shelves.encoders import EncoderShelf, facts_of_encoder, facts_of_spec
from demo.sidebar.sidebar import OTHER, OWN, SKIP, SidebarEvents, facts_html

REQUEST = gr.Request(session_hash="one page")


@pytest.fixture
def events(family_folder: Callable[[str], Path]) -> SidebarEvents:
    choice = EncoderChoice(name=str(family_folder("minilm")))
    return SidebarEvents(EncoderShelf(choice, local=True))


def test_another_pooling_is_taken_and_says_what_it_affects(events: SidebarEvents) -> None:
    default = events.shelf.default
    choice, _, status, _ = list(events.choose_pooling("max", default, REQUEST))[-1]
    assert choice == EncoderChoice(name=default.name, pooling="max")
    assert "Compare and Search now use it" in status
    back, *_ = list(events.choose_pooling(OWN, choice, REQUEST))[-1]
    assert back == default


def test_an_encoder_that_cannot_be_had_leaves_the_old_one(events: SidebarEvents) -> None:
    default = events.shelf.default
    updates = list(events.choose_encoder("<b>no such</b>", default, REQUEST))[-1]
    assert isinstance(updates[0], dict), "no new choice"
    assert "&lt;b&gt;no such&lt;/b&gt;" in updates[2]
    assert "The page keeps" in updates[2]


def test_an_unknown_pooling_or_precision_is_told(events: SidebarEvents) -> None:
    with pytest.raises(gr.Error, match="must be one of: mean, cls"):
        list(events.choose_pooling("median", events.shelf.default, REQUEST))
    with pytest.raises(gr.Error, match="must be one of: exact, fast"):
        list(events.choose_precision("half", events.shelf.default, REQUEST))


def test_the_fields_show_a_choice_again(events: SidebarEvents) -> None:
    listed = events.fields_of(EncoderChoice(name="mpnet", pooling="cls", normalize=True))
    assert (listed[0], *listed[2:]) == ("mpnet", "cls", "length 1", "exact")
    folder = events.fields_of(events.shelf.default)
    assert (folder[0], folder[2]) == (OTHER, OWN)


def test_a_name_that_was_refused_stays_to_be_corrected(events: SidebarEvents) -> None:
    kept = events.fields_unless_refused("/no/such", EncoderChoice())
    assert all(field == SKIP for field in kept)
    taken = events.fields_unless_refused(" bge-large ", EncoderChoice(name="bge-large"))
    assert taken[0] == "bge-large"


@pytest.mark.parametrize("spec", CATALOGUE, ids=lambda spec: spec.name)
def test_every_fact_of_the_catalogue_is_on_the_page(spec) -> None:  # noqa: ANN001
    shown = facts_html(facts_of_spec(spec))
    for fact in (f"{spec.dimension:,}", spec.licence, f"{spec.max_tokens:,} tokens", spec.source):
        assert fact in shown


def test_facts_are_escaped_and_only_the_catalogues_addresses_become_links(
    events: SidebarEvents,
) -> None:
    shown = facts_html([("<i>", "javascript:alert(1)"), ("x", "<img src=x>")])
    assert "<i>" not in shown
    assert "<img" not in shown
    assert "href" not in shown
    own = dict(facts_of_encoder(events.shelf.get(events.shelf.default)))
    assert own["Dimension"] == str(events.shelf.get(events.shelf.default).dimension)
