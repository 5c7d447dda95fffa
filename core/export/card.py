"""The card of an exported model: how to load it without Thaw, and where it comes from."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.config import EXPORT_FORMATS, MIX
from core.encoder.encoder import Encoder
from core.model.card import FIGURE_HEADS, figure_cells, limit_lines, plain, table, task_lines
from core.model.model import MultiTaskModel

MAX_FACT_CHARACTERS = 2_000
MAX_PARTS = 200
"""Lines of the plan's table: more than any encoder has layers and a model has heads."""


@dataclass(frozen=True, kw_only=True)
class ExportFacts:
    """What an export's card says beside the model itself.

    Attributes:
        about: What the model's manifest says of how it came about; anything may be missing.
        whole_layers: How many layers the encoder had before the export.
        format: One of `EXPORT_FORMATS`.
        both_ways: Whether it is a decoder's family read in both directions.
        notes: What a person should know, a sentence each.
    """

    about: Mapping[str, Any]
    whole_layers: int
    format: str = EXPORT_FORMATS[0]
    both_ways: bool = False
    notes: Sequence[str] = ()


def export_card(model: MultiTaskModel, encoder: Encoder, facts: ExportFacts) -> str:
    """Write the card of an exported model.

    Args:
        model: Its heads.
        encoder: What was written: the model's own, or a shorter one.
        facts: Where it comes from.

    Returns:
        Markdown with the hub's front matter, in which no text from people is markup.
    """
    plain_folder = facts.format == EXPORT_FORMATS[0]
    sections = (
        _front_matter(encoder, facts),
        _head(model, encoder, facts),
        _embeddings(encoder, facts) if plain_folder else _running(),
        task_lines(model),
        _scoring(model) if plain_folder else (),
        _figures(facts.about),
        limit_lines(),
        _origin(facts.about),
    )
    return "\n".join(line for section in sections for line in section)


def _front_matter(encoder: Encoder, facts: ExportFacts) -> Iterator[str]:
    """Write the YAML that the hub reads; JSON strings are YAML's too."""
    yield "---"
    yield f"library_name: {facts.format}"
    yield "pipeline_tag: sentence-similarity"
    yield "tags: [sentence-transformers, feature-extraction, sentence-similarity, thaw]"
    if encoder.spec is not None:
        yield f"base_model: {json.dumps(encoder.spec.hub_id)}"
        yield f"license: {json.dumps(encoder.spec.licence.lower())}"
    yield "---"
    yield ""


def _head(model: MultiTaskModel, encoder: Encoder, facts: ExportFacts) -> Iterator[str]:
    yield f"# {', '.join(plain(task.name) for task in model.tasks)}: a model exported from Thaw"
    yield ""
    left_out = facts.whole_layers - encoder.layers
    layers = f"all its {encoder.layers} layers"
    if left_out:
        layers = (
            f"{encoder.layers} of its {facts.whole_layers} layers: its embedding is made from "
            f"layer {encoder.layers}'s states, not from the last one's"
        )
    length = "of length one" if encoder.normalized else "of their own length"
    yield (
        f"A plain {facts.format} model with {layers}. Embeddings are {encoder.dimension:,} "
        f"numbers, {encoder.pooling} pooling, {length}, from {encoder.max_tokens:,} tokens at "
        "most. Beside it are heads that predict the tasks below."
    )
    yield ""
    for note in facts.notes:
        yield f"- {plain(note)}"
    if facts.notes:
        yield ""


def running_code() -> list[str]:
    """Write the Python that runs an ONNX export, a line each."""
    return [
        "import json, numpy, onnxruntime, tokenizers",
        "",
        'texts = ["A sentence.", "Another one."]',
        'heads = json.load(open("DIR/heads.json", encoding="utf-8"))',
        'cut = tokenizers.Tokenizer.from_file("DIR/tokenizer.json")',
        'cut.enable_truncation(heads["encoder"]["max_tokens"])',
        "cut.enable_padding()  # on the right; the mask leaves it out",
        "batch = cut.encode_batch(texts)",
        "given = {",
        '    "input_ids": numpy.array([each.ids for each in batch]),',
        '    "attention_mask": numpy.array([each.attention_mask for each in batch]),',
        "}",
        'session = onnxruntime.InferenceSession("DIR/model.onnx")',
        "names = [output.name for output in session.get_outputs()]",
        "found = dict(zip(names, session.run(names, given)))",
        'print(found["sentence_embedding"].shape)',
        'for head in heads["heads"]:',
        '    likely = found.get(head["output"])',
        '    if likely is not None and head["task"]["kind"] == "sentence":',
        "        for text, row in zip(texts, likely):",
        '            label = head["task"]["labels"][row.argmax()]',
        """            print(head["task"]["name"], label, row.max(), text, sep="\\t")""",
    ]


def _running() -> Iterator[str]:
    yield "## Running it"
    yield ""
    yield (
        "`model.onnx` takes padded token ids with their mask, and gives `sentence_embedding` and, "
        "for each task, its calibrated probabilities: `output` in `heads.json` names them, and "
        "`classes` what they are of. DIR is this folder:"
    )
    yield ""
    yield from ("```python", *running_code(), "```", "")


def _embeddings(encoder: Encoder, facts: ExportFacts) -> Iterator[str]:
    yield "## Embeddings"
    yield ""
    versions = (
        "Any version of sentence-transformers from 3 to 6 reads it (those before 6 strip a text's "
        "ends of white space first)"
    )
    if facts.both_ways:
        versions = (
            "It reads both ways, which its family does not do by itself: it needs "
            "sentence-transformers 6, whose transformers follows `is_causal` in config.json"
        )
    yield f"{versions}. DIR is this folder:"
    yield ""
    yield "```python"
    yield "from sentence_transformers import SentenceTransformer"
    yield ""
    yield 'vectors = SentenceTransformer("DIR").encode(["A sentence.", "Another one."])'
    yield "```"
    yield ""
    if encoder.prompts:
        yield f"Its prompts are {', '.join(plain(use) for use in encoder.prompts)}."
        yield ""


def scoring_code(model: MultiTaskModel) -> list[str]:
    """Write the Python that scores a model's sentence heads by torch alone, a line each."""
    shapes = [h.shape for h in model.task_heads.values() if h.pools is not None]
    mixed, cls = any(s.read == MIX for s in shapes), any(s.pooling == "cls" for s in shapes)
    layer = ['    layer = states[head["read"]]  # (batch, tokens, hidden)']
    if mixed:
        layer = [
            '    if head["read"] == "mix":',
            '        shares = weights[f"{name}.mix.weights"].softmax(0)',
            "        layer = sum(share * state for share, state in zip(shares, states))",
            '        layer = layer * weights[f"{name}.mix.scale"]',
            "    else:",
            '        layer = states[head["read"]]',
        ]
    pooled = ["    x = (layer * mask).sum(1) / mask.sum(1)  # (batch, hidden)"]
    if cls:
        pooled.append('    x = layer[:, 0] if head["pooling"] == "cls" else x')
    if any(shape.hidden_units for shape in shapes):
        pooled += [
            '    if head["hidden_units"]:',
            '        x = x @ weights[f"{name}.hidden.weight"].T + weights[f"{name}.hidden.bias"]',
            "        x = torch.nn.functional.gelu(x)",
        ]
    return [
        "import json, torch",
        "from safetensors.torch import load_file",
        "from sentence_transformers import SentenceTransformer",
        "",
        'texts = ["A sentence.", "Another one."]',
        'model = SentenceTransformer("DIR", device="cpu")',
        'heads = json.load(open("DIR/heads.json", encoding="utf-8"))["heads"]',
        'weights = load_file("DIR/heads.safetensors")',
        "read = dict(padding=True, truncation=True, max_length=model.max_seq_length)",
        'batch = model.tokenizer(texts, return_tensors="pt", **read)',
        'mask = batch["attention_mask"][:, :, None]',
        "with torch.inference_mode():",
        "    out = model[0].auto_model(**batch, output_hidden_states=True)",
        "states = out.hidden_states  # of layer 0, the embeddings, and of each layer",
        'for head in (each for each in heads if each["task"]["kind"] == "sentence"):',
        '    name, labels = head["task"]["name"], head["task"]["labels"]',
        *layer,
        *pooled,
        '    scores = x @ weights[f"{name}.score.weight"].T + weights[f"{name}.score.bias"]',
        '    likely = (scores / head["calibration"]["temperature"]).softmax(1)  # (batch, labels)',
        "    for text, row in zip(texts, likely):",
        "        print(name, labels[int(row.argmax())], float(row.max()), text, sep='\\t')",
    ]


def _scoring(model: MultiTaskModel) -> Iterator[str]:
    token = {n: h for n, h in model.task_heads.items() if h.pools is None}
    yield "## Predictions"
    yield ""
    yield 'With Thaw: `python -m core predict "A sentence." --model DIR`.'
    yield ""
    if len(token) < len(model.task_heads):
        yield "Without it, for the tasks that give a label a sentence:"
        yield ""
        yield from ("```python", *scoring_code(model), "```", "")
    yield (
        "`heads.json` says where each head reads, its labels, the temperature that its scores are "
        "divided by, and the threshold below which a prediction is unsure."
    )
    yield ""
    for name, head in token.items():
        by_hand = (
            "reads how words are written beside their states, which only Thaw computes"
            if head.shape.spelling
            else "scores each token's state in the same way; `classes` are its tags"
        )
        yield f"- {plain(name)} {by_hand}."
    if token:
        yield ""


def _figures(about: Mapping[str, Any]) -> Iterator[str]:
    """Lay out the figures that a manifest brings, each where it has the form it should have."""
    found = about.get("figures")
    rows = []
    for name, scores in found.items() if isinstance(found, Mapping) else ():
        try:
            rows.append([plain(name), *figure_cells(scores)])
        except (LookupError, TypeError, ValueError):
            continue
    yield "## How good it is"
    yield ""
    if not rows:
        yield "No figures came with it: run `python -m core evaluate --model DIR` on labelled rows."
        yield ""
        return
    yield from table(FIGURE_HEADS, rows)
    yield (
        "On the validation rows of its training, before the export, which changes no prediction. "
        "They also chose the epoch: on new text it is rather less."
    )
    yield ""


def _origin(about: Mapping[str, Any]) -> Iterator[str]:
    plan, data = _part(about, "plan"), about.get("data")
    data = data if isinstance(data, Mapping) else {"name": data}
    facts = {
        "strategy": about.get("strategy"),
        "weights trained": plan.get("trainable_parameters"),
        "data": data.get("name"),
        "data's hash": data.get("fingerprint"),
        "rows trained on": data.get("training_rows"),
        "rows validated on": data.get("validation_rows"),
        "seed": about.get("seed"),
        "epoch kept": about.get("epoch"),
        "steps": about.get("steps"),
        "command": about.get("command"),
        "versions": ", ".join(f"{n} {v}" for n, v in _part(about, "versions").items()),
    }
    known = {name: fact for name, fact in facts.items() if fact not in (None, "")}
    yield "## How it was made"
    yield ""
    if not known:
        yield "Its folder does not say."
        yield ""
        return
    rows = [[name, plain(str(fact)[:MAX_FACT_CHARACTERS])] for name, fact in known.items()]
    yield from table(["what", ""], rows)
    parts = [*_parts(plan)]
    if parts:
        yield "Of each part so many weights were trained, the rest is as it came:"
        yield ""
        yield from table(["part", "trained", "weights"], parts)


def _parts(plan: Mapping[str, Any]) -> Iterator[list[str]]:
    """Lay out what the plan froze and what it trained, where it has the form it should have."""
    found = plan.get("parts")
    for each in found[:MAX_PARTS] if isinstance(found, list) else ():
        try:
            name, trained, every = each["part"], each["trainable"], each["parameters"]
            yield [plain(str(name)[:MAX_FACT_CHARACTERS]), f"{trained:,d}", f"{every:,d}"]
        except (KeyError, TypeError, ValueError):
            continue


def _part(about: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = about.get(name)
    return found if isinstance(found, Mapping) else {}
