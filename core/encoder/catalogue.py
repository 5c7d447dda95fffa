"""The encoders that have a short name, each fact with its source.

Parameter counts are those of the transformer without a language-model head or pooler, counted from
the published `config.json` (tests/core/encoder/test_catalogue.py builds each shape without memory
and counts again). Download sizes are the safetensors file's, in fp32: four bytes a parameter, as
the hub's file list shows them.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class EncoderSpec:
    """What one may know of an encoder before loading it.

    Attributes:
        name: The short name a person types.
        label: What the page shows.
        hub_id: Its name on the Hugging Face Hub.
        architecture: transformers' `model_type`.
        layers: Transformer layers.
        dimension: Numbers in an embedding, after any dense projection.
        parameters: Weights in the transformer, projections included.
        pooling: The pooling it was made for, or `mean` where it was made for none.
        normalized: Whether its embeddings have length one.
        max_tokens: Tokens it reads before it truncates, special ones included.
        prompts: Text put before a query, by use; an empty dict where it needs none.
        languages: What it was trained on.
        licence: SPDX name.
        download_megabytes: Size of the weights.
        source: Where these facts are from.
        bidirectional: True where a decoder's architecture is read in both directions.
    """

    name: str
    label: str
    hub_id: str
    architecture: str
    layers: int
    dimension: int
    parameters: int
    pooling: str
    normalized: bool
    max_tokens: int
    languages: str
    licence: str
    download_megabytes: int
    source: str
    prompts: dict[str, str] = field(default_factory=dict)
    bidirectional: bool = False


CATALOGUE = (
    EncoderSpec(
        name="minilm",
        label="MiniLM, 6 layers, 23M (built in)",
        hub_id="sentence-transformers/all-MiniLM-L6-v2",
        architecture="bert",
        layers=6,
        dimension=384,
        parameters=22_565_376,
        pooling="mean",
        normalized=True,
        max_tokens=256,
        languages="English",
        licence="Apache-2.0",
        download_megabytes=91,
        # https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2: card, modules.json
        source="https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2",
    ),
    EncoderSpec(
        name="mpnet",
        label="MPNet, 12 layers, 109M",
        hub_id="sentence-transformers/all-mpnet-base-v2",
        architecture="mpnet",
        layers=12,
        dimension=768,
        parameters=108_895_872,
        pooling="mean",
        normalized=True,
        max_tokens=384,
        languages="English",
        licence="Apache-2.0",
        download_megabytes=438,
        # The card and sentence_bert_config.json (max_seq_length 384)
        source="https://huggingface.co/sentence-transformers/all-mpnet-base-v2",
    ),
    EncoderSpec(
        name="bert-base",
        label="BERT base, 12 layers, 109M",
        hub_id="google-bert/bert-base-uncased",
        architecture="bert",
        layers=12,
        dimension=768,
        parameters=108_891_648,
        pooling="mean",  # ours: BERT itself was made for no sentence embedding
        normalized=False,
        max_tokens=512,
        languages="English",
        licence="Apache-2.0",
        download_megabytes=440,
        # Devlin et al. 2019, section 3 (arXiv:1810.04805); the card
        source="https://huggingface.co/google-bert/bert-base-uncased",
    ),
    EncoderSpec(
        name="distilbert",
        label="DistilBERT, 6 layers, 66M",
        hub_id="distilbert/distilbert-base-uncased",
        architecture="distilbert",
        layers=6,
        dimension=768,
        parameters=66_362_880,
        pooling="mean",  # ours, as for BERT
        normalized=False,
        max_tokens=512,
        languages="English",
        licence="Apache-2.0",
        download_megabytes=268,
        # Sanh et al. 2019, section 3 (arXiv:1910.01108); the card
        source="https://huggingface.co/distilbert/distilbert-base-uncased",
    ),
    EncoderSpec(
        name="roberta-base",
        label="RoBERTa base, 12 layers, 124M",
        hub_id="FacebookAI/roberta-base",
        architecture="roberta",
        layers=12,
        dimension=768,
        parameters=124_055_040,
        pooling="mean",  # ours, as for BERT
        normalized=False,
        max_tokens=512,
        languages="English",
        licence="MIT",
        download_megabytes=499,
        # Liu et al. 2019 (arXiv:1907.11692); the card
        source="https://huggingface.co/FacebookAI/roberta-base",
    ),
    EncoderSpec(
        name="bge-large",
        label="BGE large, 24 layers, 334M",
        hub_id="BAAI/bge-large-en-v1.5",
        architecture="bert",
        layers=24,
        dimension=1024,
        parameters=334_092_288,
        pooling="cls",
        normalized=True,
        max_tokens=512,
        languages="English",
        licence="MIT",
        download_megabytes=1341,
        # The card: "Usage" (CLS, normalised, the instruction for queries)
        source="https://huggingface.co/BAAI/bge-large-en-v1.5",
        prompts={"query": "Represent this sentence for searching relevant passages: "},
    ),
    EncoderSpec(
        name="stella-1.5b",
        label="Stella 1.5B, 28 layers",
        hub_id="NovaSearch/stella_en_1.5B_v5",
        architecture="qwen2",
        layers=28,
        dimension=1024,
        parameters=1_544_842_752,
        pooling="mean",
        normalized=True,
        max_tokens=512,
        languages="English",
        licence="MIT",
        download_megabytes=6174,
        # The card: "Usage" (prompts, 2_Dense_1024, 512 tokens); arXiv:2412.19048
        source="https://huggingface.co/NovaSearch/stella_en_1.5B_v5",
        prompts={
            "query": "Instruct: Given a web search query, retrieve relevant passages that answer "
            "the query.\nQuery: ",
            "similarity": "Instruct: Retrieve semantically similar text.\nQuery: ",
        },
        bidirectional=True,
    ),
    EncoderSpec(
        name="multilingual-minilm",
        label="MiniLM multilingual, 12 layers, 118M, 50 languages",
        hub_id="sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2",
        architecture="bert",
        layers=12,
        dimension=384,
        parameters=117_505_920,
        pooling="mean",
        normalized=False,
        max_tokens=128,
        languages="50 languages",
        licence="Apache-2.0",
        download_megabytes=471,
        # The card; Reimers & Gurevych 2020 (arXiv:2004.09813)
        source="https://huggingface.co/sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2",
    ),
)


def find_spec(name: str) -> EncoderSpec | None:
    """Find an encoder of the catalogue by its short name or its hub name; None if it has none."""
    wanted = name.strip().lower()
    for spec in CATALOGUE:
        if wanted in (spec.name, spec.hub_id.lower(), spec.hub_id.split("/")[1].lower()):
            return spec
    return None
