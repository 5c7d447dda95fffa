"""The map of the corpus that ships with the page: its embeddings, places and predictions.

`python -m demo.map.examples` computes assets/examples/map.safetensors again: run it whenever the
corpus, the built-in encoder or assets/model changes.
"""

import functools
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.config import ASSETS, DataChoice, MapSettings

PATH = ASSETS / "examples" / "map.safetensors"
SETTINGS = MapSettings()
FIRST = MapSettings(method="pca")


@dataclass(frozen=True, kw_only=True)
class ShippedMap:
    """What ships of the corpus' map.

    Attributes:
        sentences: Tells the sentences that it is of, as `same_sentences` does.
        vectors: Their embeddings by the built-in encoder, to 8 bits, (points, dimension).
        places: By method, where they lie, (points, 2).
        fields: By method, what `core.maps.document.projection_fields` says of the map.
        predicted: By task, the shipped model's predictions: its labels, and a code a sentence.
    """

    sentences: str
    vectors: Any
    places: dict[str, Any]
    fields: dict[str, Any]
    predicted: dict[str, tuple[list[str], list[int]]]


def same_sentences(texts: Sequence[str]) -> str:
    """Tell a list of sentences from any other."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()


@functools.cache
def shipped_map() -> ShippedMap:
    """Read what ships; once."""
    from safetensors import safe_open

    with safe_open(PATH, framework="numpy") as file:
        about = json.loads(file.metadata()["map"])
        steps = file.get_tensor("vector_steps")  # (points,)
        vectors = file.get_tensor("vectors").astype("float32") * steps[:, None]
        return ShippedMap(
            sentences=about["sentences"],
            vectors=vectors,
            places={name: file.get_tensor(name) for name in about["fields"]},
            fields=about["fields"],
            predicted={
                name: (labels, file.get_tensor(f"predicted_{name}").tolist())
                for name, labels in about["labels"].items()
            },
        )


def compute() -> tuple[dict[str, Any], dict[str, str]]:
    """Compute what ships: tensors, and what is said of them."""
    import numpy as np

    from core.data.dataset import read_dataset
    from core.encoder.encoder import load_encoder
    from core.maps.fields import projection_fields
    from core.maps.projection import project
    from core.model.model_folder import load_model
    from core.model.prediction import predict

    dataset = read_dataset(DataChoice(source="corpus")).usable()
    texts = [example.text for example in dataset.examples]
    exact = load_encoder().encode(texts).vectors.numpy()  # (points, dimension)
    steps = np.abs(exact).max(axis=1) / 127  # (points,)
    rounded = np.round(exact / steps[:, None]).astype(np.int8)
    kept = rounded.astype(np.float32) * steps[:, None].astype(np.float32)
    tensors: dict[str, Any] = {"vectors": rounded, "vector_steps": steps.astype(np.float32)}
    fields: dict[str, Any] = {}
    for settings in (FIRST, SETTINGS):
        found = project(kept, settings)
        tensors[settings.method] = found.places
        fields[settings.method] = projection_fields(found)
    model, labels = load_model(), dict[str, list[str]]()
    said = predict(model, texts)
    for task in model.tasks:
        if task.of_kind.one_label:
            labels[task.name] = list(task.labels)
            codes = [task.labels.index(each.labels[task.name].label) for each in said]
            tensors[f"predicted_{task.name}"] = np.array(codes, dtype=np.uint8)
    about = {"sentences": same_sentences(texts), "fields": fields, "labels": labels}
    return tensors, {"map": json.dumps(about)}


def main() -> None:
    """Compute the map and write it to assets/examples/map.safetensors."""
    from safetensors.numpy import save_file

    tensors, about = compute()
    save_file(tensors, PATH, metadata=about)


if __name__ == "__main__":
    main()
