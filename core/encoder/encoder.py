"""The sentence encoder: tokeniser, transformer, pooling, projections and normalisation."""

import contextlib
import copy
import hashlib
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.config import EncoderChoice
from core.encoder.backbone import TransformersBackbone
from core.encoder.bert import Bert
from core.encoder.catalogue import EncoderSpec
from core.encoder.folder import ModelFolder, read_folder
from core.encoder.hub import find_encoder
from core.encoder.loading import Projection, load_backbone, load_projection
from core.encoder.precision import FastMode, kept_fast_mode, measure_fast_mode
from core.encoder.tokenizer import Pieces, Tokenizer, Tokens, load_tokenizer
from core.pooling import pool, pooling_named
from core.system import machine

TOKENS_PER_BATCH = 4096
"""A batch on a CPU holds at most this many, padding included; more only spills its caches."""

TOKENS_PER_BATCH_GPU = 65_536

FEW_SENTENCES = 256
"""Below this many, `encode` never runs or waits for a self-test."""

Progress = Callable[[int, int], None]
"""Called with how many sentences are done, and how many there are."""


class CancelledError(Exception):
    """Raised out of `encode` when its caller asked it to stop."""


class TruncationWarning(UserWarning):
    """A text was longer than the encoder reads."""


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """The embeddings of a list of texts, in the order given.

    Attributes:
        vectors: One embedding a text, fp32 on the CPU, (texts, dimension).
        truncated: For each text, whether the encoder could not read to its end.
    """

    vectors: Tensor
    truncated: tuple[bool, ...]


class Encoder(nn.Module):
    """A sentence encoder. Load one with `load_encoder`.

    Args:
        name: What it was asked for as.
        tokenizer: From text to ids.
        backbone: From ids and mask to states: `Bert` or `TransformersBackbone`.
        projections: Dense layers after pooling, in order.
        pooling: One of `POOLINGS`.
        normalized: Whether embeddings get length one.
        prompts: Text put before a query, by use.
        spec: What the catalogue knows of it, if it is there.
    """

    def __init__(
        self,
        *,
        name: str,
        tokenizer: Tokenizer,
        backbone: Bert | TransformersBackbone,
        projections: Sequence[Projection],
        pooling: str,
        normalized: bool,
        prompts: dict[str, str],
        spec: EncoderSpec | None = None,
    ) -> None:
        super().__init__()
        pooling_named(pooling)
        self.name = name
        self.tokenizer = tokenizer
        self.backbone = backbone
        self.dense = nn.ModuleList(projections)
        self.projections = tuple(projections)
        self.pooling = pooling
        self.normalized = normalized
        self.prompts = prompts
        self.spec = spec
        self.precision = "exact"
        self.threads: int | None = None
        self.busy = threading.Lock()  # one batch at a time: two would fight for the same cores

    @property
    def max_tokens(self) -> int:
        """Tokens read before truncation, special ones included."""
        return self.tokenizer.max_tokens

    @property
    def layers(self) -> int:
        """Transformer layers."""
        return self.backbone.layer_count

    @property
    def hidden(self) -> int:
        """Numbers in a token's state."""
        return self.backbone.hidden

    @property
    def dimension(self) -> int:
        """Numbers in an embedding."""
        return self.projections[-1].linear.out_features if self.projections else self.hidden

    @property
    def parameter_count(self) -> int:
        """Weights in the transformer and its projections."""
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    @property
    def is_told_both_ways(self) -> bool:
        """Whether it is a decoder's family that was told to read in both directions."""
        config = getattr(getattr(self.backbone, "model", None), "config", None)
        return getattr(config, "is_causal", True) is False

    def with_pooling(self, pooling: str | None, normalize: bool | None = None) -> "Encoder":
        """Return this encoder with another pooling or normalisation; the weights are shared.

        Raises:
            ValueError: If the pooling is unknown.
        """
        twin = Encoder(
            name=self.name,
            tokenizer=self.tokenizer,
            backbone=self.backbone,
            projections=self.projections,
            pooling=self.pooling if pooling is None else pooling,
            normalized=self.normalized if normalize is None else normalize,
            prompts=self.prompts,
            spec=self.spec,
        )
        twin.precision, twin.threads, twin.busy = self.precision, self.threads, self.busy
        return twin

    def fingerprint(self) -> str:
        """Tell these weights from any others, by a sample of every tensor."""
        digest = hashlib.sha256()
        for name, weight in self.named_parameters():
            digest.update(name.encode())
            digest.update(weight.detach().flatten()[:64].float().cpu().numpy().tobytes())
        return digest.hexdigest()[:16]

    @property
    def fast_key(self) -> str:
        """Name the fast mode's self-test in this machine's kept results."""
        return f"fast {self.fingerprint()} {self.pooling} {self.device.type}"

    @property
    def threads_key(self) -> str:
        """Name the thread count's self-test in this machine's kept results."""
        return f"threads {self.layers}x{self.hidden} {self.precision}"

    def fast_mode(self) -> FastMode:
        """Measure the fast mode on this machine, or recall it; takes seconds the first time."""
        if self.precision == "fast":
            raise ValueError("this encoder is in fast precision: ask the exact one")
        key = self.fast_key
        kept = kept_fast_mode(key)
        if kept is not None:
            return kept
        fast = self._in_bf16()
        return measure_fast_mode(
            key, lambda texts: self.encode(texts).vectors, lambda texts: fast.encode(texts).vectors
        )

    def in_fast_precision(self) -> "Encoder":
        """Return a copy of this encoder with half-precision weights.

        Raises:
            ValueError: If the self-test does not find it faster on this machine.
        """
        mode = self.fast_mode()
        if not mode.offered:
            raise ValueError(f"fast precision is not worth having here ({mode}): use exact")
        return self._in_bf16()

    def _in_bf16(self) -> "Encoder":
        twin = self.with_pooling(None)
        twin.backbone = copy.deepcopy(self.backbone).to(torch.bfloat16)
        twin.precision = "fast"
        return twin.ready()

    def ready(self) -> "Encoder":
        """Get ready for inference, once the weights are where they stay; returns itself."""
        if isinstance(self.backbone, Bert):
            self.backbone.pack()
        return self

    def encode(
        self,
        texts: str | Sequence[str],
        *,
        prompt: str = "",
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Encoding:
        """Embed one text or many.

        Equal texts are computed once; the rest are sorted by length and run in batches of
        `TOKENS_PER_BATCH`. A text without a single token, as an empty one is to a decoder's
        tokenizer, has no state to pool and gets zeros.

        Args:
            texts: What to embed; one string counts as a list of one.
            prompt: Put before every text, as a query prompt is.
            progress: Called after each batch.
            cancelled: Asked before each batch; True stops.

        Returns:
            The embeddings, in the order of `texts`.

        Raises:
            TypeError: If a text is not a string.
            CancelledError: If `cancelled` answered True.
        """
        given = _listed(texts)
        different = list(dict.fromkeys(given))
        tokens = self.tokenizer.encode([prompt + text for text in different])
        vectors = torch.zeros(len(different), self.dimension)  # (different, dimension)
        done = 0
        with self._threads_for(tokens):
            for batch in batches_by_length(tokens, self._tokens_per_batch):
                if cancelled is not None and cancelled():
                    raise CancelledError(f"stopped after {done} of {len(different)} sentences")
                vectors[batch] = self._embed_batch([tokens[i].ids for i in batch])
                done += len(batch)
                if progress is not None:
                    progress(len(given) * done // len(different), len(given))
        place = {text: index for index, text in enumerate(different)}
        rows = [place[text] for text in given]
        return Encoding(vectors=vectors[rows], truncated=tuple(tokens[i].truncated for i in rows))

    def embed(self, texts: str | Sequence[str], *, prompt: str = "") -> Tensor:
        """Embed texts and return the vectors alone, (texts, dimension); warn of truncation."""
        encoding = self.encode(texts, prompt=prompt)
        if any(encoding.truncated):
            warnings.warn(
                f"{sum(encoding.truncated)} of {len(encoding.truncated)} texts are longer than "
                f"the {self.max_tokens} tokens that {self.name} reads; the rest was left out",
                TruncationWarning,
                stacklevel=2,
            )
        return encoding.vectors

    @torch.inference_mode()
    def token_states(self, text: str) -> tuple[Pieces, Tensor]:
        """Return a text's pieces and the last layer's state of each, (tokens, hidden)."""
        pieces = self.tokenizer.pieces(text)
        if not pieces.ids:  # an empty text, to a tokenizer without special tokens
            return pieces, torch.zeros(0, self.hidden)
        ids = torch.tensor([pieces.ids], device=self.device)  # (1, tokens)
        with self.busy:
            states = self.backbone(ids, torch.ones_like(ids))[0]  # (tokens, hidden)
        return pieces, states.float().cpu()

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Embed a padded batch, (batch, tokens) twice to (batch, dimension), with gradients."""
        return self.finish(self.backbone(ids, mask), mask)

    def finish(self, states: Tensor, mask: Tensor) -> Tensor:
        """Pool, project and normalise the last layer's states.

        Args:
            states: (batch, tokens, hidden).
            mask: 1 for a real token, 0 for padding, (batch, tokens).

        Returns:
            Embeddings, (batch, dimension).
        """
        pooled = pool(states.float(), mask, self.pooling)  # (batch, hidden)
        for projection in self.projections:
            pooled = projection(pooled)  # (batch, outputs)
        return F.normalize(pooled, dim=1) if self.normalized else pooled  # (batch, dimension)

    @property
    def _tokens_per_batch(self) -> int:
        return TOKENS_PER_BATCH if self.device.type == "cpu" else TOKENS_PER_BATCH_GPU

    @torch.inference_mode()
    def _embed_batch(self, ids: list[list[int]]) -> Tensor:
        padded, mask = pad(ids)  # (batch, tokens) each
        with self.busy:
            return self(padded.to(self.device), mask.to(self.device)).cpu()  # (batch, dimension)

    def _threads_for(self, tokens: list[Tokens]) -> contextlib.AbstractContextManager[None]:
        """Choose torch's thread count: as told, else by self-test where there is much to do."""
        if self.threads is not None:
            return machine.torch_threads(self.threads)
        if self.device.type != "cpu" or len(tokens) < FEW_SENTENCES:
            return contextlib.nullcontext()
        some = [tokens[i].ids for i in range(0, len(tokens), max(1, len(tokens) // 24))]
        count = machine.fastest_threads(self.threads_key, lambda: self._embed_batch(some))
        return machine.torch_threads(count)


def load_encoder(choice: EncoderChoice | str = "minilm", *, threads: int | None = None) -> Encoder:
    """Load an encoder by name.

    Args:
        choice: What to load; a string is a name with everything else as the encoder declares.
        threads: torch threads to encode with; None lets a self-test choose.

    Raises:
        ValueError: If there is no such encoder, its files are not what Thaw reads, the fast
            precision is not worth having on this machine, or the device is not there.
        RuntimeError: If a download breaks midway.
    """
    choice = EncoderChoice(name=choice) if isinstance(choice, str) else choice
    if threads is not None and not 1 <= threads <= machine.usable_cores():
        raise ValueError(
            f"threads is {threads}, must be 1 to {machine.usable_cores()}: more than the cores "
            "you have makes torch slower"
        )
    path, spec = find_encoder(choice.name)
    encoder = build_encoder(choice, read_folder(path), spec)
    encoder.threads = threads
    encoder.to(_checked_device(choice.device)).ready()
    return encoder.in_fast_precision() if choice.precision == "fast" else encoder


def build_encoder(
    choice: EncoderChoice, folder: ModelFolder, spec: EncoderSpec | None = None
) -> Encoder:
    """Put an encoder together from a folder, in exact precision, on the CPU.

    What the person chose wins, then what the folder declares, then what the catalogue knows.
    """
    limits = (folder.max_tokens, spec.max_tokens if spec else None)
    max_tokens = min((n for n in limits if n), default=None)
    declared = folder.pooling or (spec.pooling if spec else "mean")
    projections = [load_projection(shape) for shape in folder.dense]
    encoder = Encoder(
        name=choice.name,
        tokenizer=load_tokenizer(folder.transformer, max_tokens, lower_case=folder.lower_case),
        backbone=load_backbone(folder, bidirectional=bool(spec and spec.bidirectional)),
        projections=projections,
        pooling=choice.pooling or declared,
        normalized=folder.normalized or bool(spec and spec.normalized),
        prompts={**(spec.prompts if spec else {}), **folder.prompts},
        spec=spec,
    )
    if choice.normalize is not None:
        encoder.normalized = choice.normalize
    return encoder.requires_grad_(False).eval()


def batches_by_length(tokens: Sequence[Tokens], budget: int) -> Iterator[list[int]]:
    """Cut texts into batches of similar length, the longest first, within a token budget.

    Args:
        tokens: The texts.
        budget: The most tokens in a batch, padding included; one text alone may exceed it.

    Yields:
        The indices of each batch's texts; every text that has tokens once.
    """
    some = [index for index in range(len(tokens)) if tokens[index].ids]
    order = sorted(some, key=lambda i: -len(tokens[i].ids))
    batch: list[int] = []
    for index in order:
        longest = len(tokens[batch[0]].ids) if batch else 0
        if batch and longest * (len(batch) + 1) > budget:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def pad(ids: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Lay token ids side by side, padded on the right with 0.

    Returns:
        The ids and their mask, 1 for a real token, (batch, tokens) each.
    """
    longest = max(map(len, ids), default=0)
    rows = [[*row, *[0] * (longest - len(row))] for row in ids]
    padded = torch.tensor(rows, dtype=torch.int64)  # (batch, tokens); of no token too
    lengths = torch.tensor([len(row) for row in ids])  # (batch,)
    mask = (torch.arange(longest) < lengths[:, None]).to(torch.int64)  # (batch, tokens)
    return padded, mask


def _checked_device(device: str | None) -> torch.device:
    wanted = device or machine.best_device()
    try:
        found = torch.device(wanted)
        torch.empty(1, device=found)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = (str(error).splitlines() or [""])[0]
        best = machine.best_device()
        raise ValueError(f"device {wanted!r} cannot be used here ({reason}); try {best}") from error
    return found


def _listed(texts: str | Sequence[str]) -> list[str]:
    """Give one text or many as a list of texts."""
    given = [texts] if isinstance(texts, str) else list(texts)
    for index, text in enumerate(given):
        if not isinstance(text, str):
            raise TypeError(f"text {index} is a {type(text).__name__}, must be a string")
    return given
