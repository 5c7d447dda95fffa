"""Before and after fine-tuning in one frame: what each way of aligning two maps keeps.

python -m tests.benchmarks.aligned_bench [--rows 800] [--seeds 3] [--umap-aligned] [--placing]

For each seed a sample of the corpus is embedded by the pretrained encoder and by the shipped
model's. Printed, per way: trustworthiness of the map before and after, the median way of a point in
units of the picture's size, the rank correlation between that way and the share of neighbours kept
(negative where a long way means much change), and seconds of the processor.

With `--placing` instead: a tenth of the sentences is left out of both maps and placed on them,
with the second turned back first and without. Printed, per method and way: how many of the ten
nearest by cosine are among the ten nearest on the map, before and after, and the way; beside
it the same for the same sentences where they are part of the maps.
"""

import argparse
import time
import warnings

import numpy as np

import core.maps.projection as projection
from core.config import DataChoice, MapSettings
from core.data.dataset import read_dataset
from core.encoder.encoder import load_encoder
from core.maps.changes import changes, project_pair
from core.maps.near import nearest
from core.maps.projection import place, project
from core.maps.quality import map_quality
from core.maps.turning import turned_onto
from core.model.model_folder import load_model

Pair = tuple[np.ndarray, np.ndarray]
RATES = (1.0, 0.5, 0.25, 0.1, 0.05)


def embedded(rows: int, seed: int) -> Pair:
    """Embed a sample of the corpus twice."""
    examples = read_dataset(DataChoice(source="corpus")).usable().examples
    chosen = np.sort(np.random.default_rng(seed).choice(len(examples), rows, replace=False))
    texts = [examples[row].text for row in chosen]
    encoders = (load_encoder(), load_model().encoder)
    before, after = (encoder.encode(texts).vectors.numpy() for encoder in encoders)
    return before, after


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(a, b).statistic)


def report(name: str, vectors: Pair, places: Pair, kept: np.ndarray, seconds: float) -> None:
    size = np.sqrt(((places[0] - places[0].mean(axis=0)) ** 2).sum(axis=1).mean())
    way = np.linalg.norm(places[0] - places[1], axis=1) / size
    trust = [
        map_quality(v, p, "cosine", 15).trustworthiness.mean
        for v, p in zip(vectors, places, strict=True)
    ]
    print(
        f"{name:24} before {trust[0]:.4f}  after {trust[1]:.4f}  way {np.median(way):.3f}  "
        f"rank correlation {rank_correlation(way, kept):+.3f}  {seconds:.1f} s",
        flush=True,
    )


def one_seed(rows: int, seed: int, umap_aligned: bool) -> None:
    vectors, settings = embedded(rows, seed), MapSettings(seed=seed)
    before, after = vectors
    kept = changes(before, after).kept

    def timed(name: str, make: "object") -> None:
        began = time.process_time()
        places = make()  # type: ignore[operator]
        report(name, vectors, places, kept, time.process_time() - began)

    first = project(before, settings).places

    def separate() -> Pair:
        return first, turned_onto(project(after, settings).places, first)

    def together() -> Pair:
        both = project(np.concatenate([before, after]), settings).places
        return both[:rows], both[rows:]

    def going_on() -> Pair:
        one, two = project_pair(before, after, settings)
        return one.places, two.places

    print(f"seed {seed}, {rows} rows, neighbours kept {kept.mean():.2f}")
    timed("separate, turned", separate)
    timed("together", together)
    timed("placed", lambda: (first, place(after, before, first, settings)))
    chosen = projection.GOING_ON
    for rate in RATES:
        projection.GOING_ON = rate
        timed(f"going on, rate {rate:g}", going_on)
    projection.GOING_ON = chosen
    for strength in (0.01, 0.1) if umap_aligned else ():
        timed(f"AlignedUMAP {strength:g}", lambda s=strength: umap_learn(before, after, seed, s))


def placing(rows: int, seed: int) -> None:
    """Leave a tenth out, place it on both maps, and print how near it comes to its own."""
    vectors, first = embedded(rows, seed), rows - rows // 10
    known, new = [v[:first] for v in vectors], [v[first:] for v in vectors]
    print(f"seed {seed}, {first} rows and {rows - first} placed")

    def show(name: str, places: list[np.ndarray], placed: list[np.ndarray]) -> None:
        near = [shared(*each) for each in zip(known, new, places, placed, strict=True)]
        size = np.sqrt(((places[0] - places[0].mean(axis=0)) ** 2).sum(axis=1).mean())
        way = np.median(np.linalg.norm(placed[0] - placed[1], axis=1)) / size
        print(
            f"{name:28} near before {near[0]:.3f}  after {near[1]:.3f}  way {way:.3f}", flush=True
        )

    for method in ("umap", "pca"):
        settings = MapSettings(method=method, seed=seed)
        whole = [drawn.places for drawn in project_pair(*vectors, settings)]
        show(f"{method}, part of the maps", [w[:first] for w in whole], [w[first:] for w in whole])
        pair = project_pair(*known, settings)
        for name, turns in (
            ("turned back", [drawn.turn for drawn in pair]),
            ("as it lies", [None, None]),
        ):
            placed = [
                place(some, of_map, drawn.places, settings, turn=turn)
                for some, of_map, drawn, turn in zip(new, known, pair, turns, strict=True)
            ]
            show(f"{method}, placed, {name}", [drawn.places for drawn in pair], placed)


def shared(known: np.ndarray, new: np.ndarray, places: np.ndarray, placed: np.ndarray) -> float:
    """Say how many of the ten nearest by cosine are among the ten nearest on the map, 0 to 1."""
    true, _ = nearest(known, 10, "cosine", queries=new)
    seen, _ = nearest(places, 10, "euclidean", queries=placed)
    both = zip(true.tolist(), seen.tolist(), strict=True)
    return float(np.mean([len(set(one) & set(other)) / 10 for one, other in both]))


def umap_learn(before: np.ndarray, after: np.ndarray, seed: int, strength: float) -> Pair:
    import umap

    made = umap.AlignedUMAP(
        metric="cosine", n_neighbors=15, random_state=seed, alignment_regularisation=strength
    ).fit([before, after], relations=[{row: row for row in range(len(before))}])
    one, two = (np.asarray(each, dtype=np.float32) for each in made.embeddings_)
    return one, two


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=800)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--umap-aligned", action="store_true", help="umap-learn's AlignedUMAP too")
    parser.add_argument("--placing", action="store_true", help="sentences placed on both maps")
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # umap-learn's, about its own arguments
    for seed in range(given.seeds):
        if given.placing:
            placing(given.rows, seed)
        else:
            one_seed(given.rows, seed, given.umap_aligned)


if __name__ == "__main__":
    main()
