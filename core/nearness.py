"""How alike two vectors are: the metrics, for sentences in torch and for maps in NumPy.

Settings name them before either is there, so both are imported where vectors are.
"""

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    Floats = NDArray[np.float32]


class Metric:
    """A way to tell how alike vectors are. A new one is a subclass, in `EVERY`.

    Attributes:
        name: How a person types it.
        title: What people call it.
        is_distance: Whether it measures how far apart, and so is negated where it scores.
        by_direction: Whether only directions count, so that scores run from -1 to 1.
        on_maps: Whether maps may be laid out by it.
        kept_by_pca: Whether a PCA map keeps it.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    is_distance: ClassVar[bool] = True
    by_direction: ClassVar[bool] = False
    on_maps: ClassVar[bool] = True
    kept_by_pca: ClassVar[bool] = True

    def scores(self, a: "Tensor", b: "Tensor") -> "Tensor":
        """Score every row of `a` against every row of `b`, higher for what is more alike.

        Args:
            a: Embeddings, (sentences, dimension).
            b: Other embeddings, (others, dimension).

        Returns:
            Scores, (sentences, others); a distance negated.
        """
        raise NotImplementedError

    def prepared(self, vectors: "Floats") -> "Floats":
        """Bring vectors into the form that `distances` takes, in fp32, (points, dimension)."""
        import numpy as np

        return np.ascontiguousarray(vectors, dtype=np.float32)

    def distances(self, some: "Floats", every: "Floats") -> "Floats":
        """Give the distances of some vectors to all, both as `prepared` gives them, (some, all)."""
        raise NotImplementedError

    @property
    def note(self) -> str:
        """How to read its scores; empty where they need no word."""
        return f"{self.title}, negated: nearer to 0 is more alike" if self.is_distance else ""


class Cosine(Metric):
    """The cosine of the angle between them; of a zero vector with anything it is 0."""

    name = "cosine"
    title = "cosine"
    is_distance = False
    by_direction = True

    def scores(self, a: "Tensor", b: "Tensor") -> "Tensor":
        import torch.nn.functional as F

        return F.normalize(a, dim=1) @ F.normalize(b, dim=1).T  # (sentences, others)

    def prepared(self, vectors: "Floats") -> "Floats":
        import numpy as np

        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)  # (points, 1)
        # A zero vector stays one: its cosine with anything is 0.
        return np.asarray(vectors / np.where(lengths == 0, 1, lengths), dtype=np.float32)

    def distances(self, some: "Floats", every: "Floats") -> "Floats":
        import numpy as np

        products = some @ every.T  # (some, all)
        return np.maximum(1 - products, 0, out=products)


class Dot(Metric):
    """The product of the two."""

    name = "dot"
    title = "dot product"
    is_distance = False
    on_maps = False

    def scores(self, a: "Tensor", b: "Tensor") -> "Tensor":
        return a @ b.T  # (sentences, others)


class Euclidean(Metric):
    """The distance in a straight line."""

    name = "euclidean"
    title = "Euclidean distance"

    def scores(self, a: "Tensor", b: "Tensor") -> "Tensor":
        import torch

        # Without the matrix-product shortcut, whose rounding puts identical rows a little apart.
        exact = "donot_use_mm_for_euclid_dist"
        return -torch.cdist(a, b, p=2.0, compute_mode=exact)  # (sentences, others)

    def distances(self, some: "Floats", every: "Floats") -> "Floats":
        import numpy as np

        products = some @ every.T  # (some, all)
        squares = (some**2).sum(axis=1)[:, None] + (every**2).sum(axis=1)  # (some, all)
        return np.sqrt(np.maximum(squares - 2 * products, 0))  # (some, all)


class Manhattan(Metric):
    """The distance along the axes."""

    name = "manhattan"
    title = "Manhattan distance"
    kept_by_pca = False

    def scores(self, a: "Tensor", b: "Tensor") -> "Tensor":
        import torch

        return -torch.cdist(a, b, p=1.0)  # (sentences, others)

    def distances(self, some: "Floats", every: "Floats") -> "Floats":
        import numpy as np
        from scipy.spatial.distance import cdist

        return cdist(some, every, "cityblock").astype(np.float32)


EVERY: tuple[Metric, ...] = (Cosine(), Dot(), Euclidean(), Manhattan())


def metric_named(name: str) -> Metric:
    """Find a metric by its name.

    Raises:
        LookupError: If there is none: check what a person typed first, against
            `core.config.METRICS`.
    """
    return {metric.name: metric for metric in EVERY}[name]
