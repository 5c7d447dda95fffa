"""The frozen bottom of a network, run once for each text: what runs share, whatever they train.

A prefix is of one encoder and all texts of a data set. Runs over any strategies, seeds and folds
take from it the states of their own texts. Its batches depend on the texts alone, so that whoever
asks first, and for what, changes no bit of them. What is kept is bounded: past a memory budget it
lies in memory-mapped files of a temporary folder, which is removed with the prefix, and which
other processes can open to read.
"""

import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from core.encoder.backbone import eval_mode
from core.encoder.bert import Bert
from core.encoder.encoder import CancelledError, Encoder, Progress, pad
from core.encoder.packed import pool_packed
from core.frozen.distinct_texts import DistinctTexts
from core.system.scratch import own_prefix

TOKENS_PER_BATCH = 2048
"""Batches depend on the texts alone, so that the same texts give the same states bit for bit."""

MEMORY_BYTES = 1_000_000_000

TOKENS = "tokens"
"""The form of states that are kept token by token."""

_INDEX, _IDS = "prefix.json", "ids.i64"


class TemporaryStore:
    """Something that may lie in files of a temporary folder: a context, or to be closed."""

    _folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def in_files(self) -> bool:
        """Whether any of it lies in files."""
        return self._folder is not None

    def close(self) -> None:
        """Let go of what is kept, and of the files it may lie in."""
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class States(NamedTuple):
    """Some states of all texts: a layer's, by token or pooled."""

    layer: int
    """0 is the embeddings."""
    form: str = TOKENS
    """`TOKENS`, or one of `core.config.HEAD_POOLINGS`."""

    @property
    def name(self) -> str:
        """The name of a file of them."""
        return f"{self.form}-{self.layer}.f32"


Needs = frozenset[States]
"""What is asked of a prefix; the needs of several runs are joined by `|`."""


def bytes_of(needs: Needs, lengths: Sequence[int], hidden: int) -> int:
    """Give the size of states in fp32 for texts of so many tokens each, in bytes."""
    rows = (sum(lengths) if each.form == TOKENS else len(lengths) for each in needs)
    return 4 * hidden * sum(rows)


class Prefix(TemporaryStore):
    """States of some layers of a frozen network, for all texts of a data set.

    Make it with `prefix_of` or `open_prefix`; use it as a context, or close it.

    Attributes:
        texts: Which texts, each once.
        fingerprint: Of which encoder's weights.
        hidden: Numbers in a state.
        layers: How many layers the encoder has.
    """

    def __init__(
        self,
        texts: DistinctTexts,
        *,
        fingerprint: str,
        hidden: int,
        layers: int,
        encoder: Encoder | None = None,
        memory_bytes: float = MEMORY_BYTES,
    ) -> None:
        self.texts, self.fingerprint = texts, fingerprint
        self.hidden, self.layers = hidden, layers
        self._encoder, self._memory_bytes = encoder, memory_bytes
        self._kept: dict[States, Tensor] = {}  # (all tokens or texts, hidden) each
        self._read_from: Path | None = None
        self._shared = False

    @property
    def kept(self) -> Needs:
        """What is there already."""
        return frozenset(self._kept)

    def check_encoder(self, encoder: Encoder) -> None:
        """Refuse an encoder with other weights than those that the states come from.

        Raises:
            ValueError: If it is another one, or has been trained since.
        """
        given = encoder.fingerprint()
        if given != self.fingerprint:
            raise ValueError(
                f"the prefix is of an encoder with weights {self.fingerprint}, this one's are "
                f"{given}: make a prefix of this encoder, before it trains"
            )

    def take(self, places: Sequence[int], states: States) -> Tensor:
        """Return states of some texts: (texts, hidden), or of tokens, text after text.

        Args:
            places: Which texts, as `DistinctTexts.places` names them.
            states: Of which layer, in which form.

        Raises:
            ValueError: If they were not computed.
        """
        self._check(frozenset({states}))
        kept = self._kept[states]
        if states.form != TOKENS:
            return kept[list(places)]  # (texts, hidden)
        starts = self.texts.starts
        parts = [kept[starts[place] : starts[place + 1]] for place in places]
        return torch.cat(parts) if parts else kept[:0].clone()  # (tokens, hidden)

    def compute(
        self,
        needs: Needs,
        *,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        """Run the texts through the network as far as is needed, from the deepest states kept.

        Args:
            needs: What is to be there; what is there already costs nothing.
            progress: Called after each batch with texts done and texts in all.
            cancelled: Asked before each batch; True stops.

        Raises:
            ValueError: If there is no such layer, the encoder has been trained since, or this
                prefix was opened to read and the process that made it has not computed them.
            CancelledError: If `cancelled` answered True; what was kept before is still there.
        """
        if any(not 0 <= each.layer <= self.layers for each in needs):
            given = sorted({each.layer for each in needs})
            raise ValueError(f"layers are {given}, must be some of 0 to {self.layers}")
        missing = needs - self.kept
        if not missing:
            return
        if self._encoder is None:
            self._check(missing)
            return
        self.check_encoder(self._encoder)
        room = self._room_for(missing)
        layers = {each.layer for each in missing}
        with _at_rest(self._encoder):
            for some, rows in self.texts.batches(TOKENS_PER_BATCH):
                if cancelled is not None and cancelled():
                    raise CancelledError(f"stopped after {some.start} of {len(self.texts)} texts")
                found = self._run(self._encoder, some, rows, layers)
                lengths = torch.tensor(self.texts.lengths[some])  # (batch,)
                for each, into in room.items():
                    if each.form == TOKENS:
                        into[rows] = found[each.layer]  # (tokens, hidden)
                    else:
                        into[some] = pool_packed(found[each.layer], lengths, each.form)
                if progress is not None:
                    progress(some.stop, len(self.texts))
        self._kept.update(room)
        if self._shared:
            self.share()

    @torch.no_grad()
    def _run(
        self, encoder: Encoder, some: slice, rows: slice, layers: set[int]
    ) -> dict[int, Tensor]:
        """Give the states of some layers for a batch, by layer, (tokens, hidden)."""
        kept = {each.layer: whole for each, whole in self._kept.items() if each.form == TOKENS}
        known = {layer: kept[layer][rows] for layer in layers if layer in kept}
        wanted = layers - known.keys()
        if not wanted:
            return known
        start = max((layer for layer in kept if layer <= min(wanted)), default=None)
        with encoder.busy:
            if start is None:
                ids, mask = (each.to(encoder.device) for each in pad(self.texts.ids[some]))
                begin = encoder.backbone.embed_packed(ids, mask)  # (tokens, hidden)
            else:
                # A copy is aligned as what a layer gives is: the products round alike.
                begin = kept[start][rows].to(encoder.device, copy=True)  # (tokens, hidden)
            lengths, lowest = self.texts.lengths[some], start or 0
            found = encoder.backbone.packed_layers(begin, lengths, lowest, max(wanted))
        tokens = rows.stop - rows.start
        return known | {layer: found[layer - lowest][:tokens].float().cpu() for layer in wanted}

    def share(self) -> Path:
        """Put everything into files, so that other processes can open it to read.

        Returns:
            The folder to give to `open_prefix`; it is gone when this prefix is closed.
        """
        folder = self._in_folder()
        for each, states in self._kept.items():
            if states.numel() and not (folder / each.name).exists():
                mapped = _mapped(folder / each.name, len(states), self.hidden, "w+")
                self._kept[each] = mapped.copy_(states)  # (tokens or texts, hidden)
        if not self._shared:
            flat = np.array([i for each in self.texts.ids for i in each], dtype=np.int64)
            flat.tofile(folder / _IDS)
        document = {
            "fingerprint": self.fingerprint,
            "hidden": self.hidden,
            "layers": self.layers,
            "lengths": self.texts.lengths,
            "kept": sorted(self._kept),
        }
        part = folder / f"{_INDEX}.part"
        part.write_text(json.dumps(document), encoding="utf-8")
        part.replace(folder / _INDEX)  # whoever opens it sees the old one or the new one
        self._shared = True
        return folder

    def close(self) -> None:
        self._kept = {}
        super().close()

    def _check(self, needs: Needs) -> None:
        """Refuse what is not there, after a look whether the process that writes it has it now."""
        if needs <= self._kept.keys():
            return
        if self._read_from is not None:
            self._map_files(self._read_from)
        lacking = ", ".join(each.name for each in sorted(needs - self._kept.keys()))
        if lacking:
            raise ValueError(
                f"the prefix lacks {lacking}: compute it first, in the process that made the prefix"
            )

    def _in_folder(self) -> Path:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix=own_prefix("thaw-states-"))
        return Path(self._folder.name)

    def _rows(self, states: States) -> int:
        return self.texts.starts[-1] if states.form == TOKENS else len(self.texts)

    def _room_for(self, needs: Needs) -> dict[States, Tensor]:
        """Make room for states: in memory, or past the budget in files."""
        left = self._memory_bytes - bytes_of(self.kept, self.texts.lengths, self.hidden)
        room = {}
        for each in sorted(needs):
            rows = self._rows(each)
            left -= 4 * rows * self.hidden
            if not rows or (left >= 0 and not self._shared):
                room[each] = torch.zeros(rows, self.hidden)  # a text without tokens pools to 0
            else:
                room[each] = _mapped(self._in_folder() / each.name, rows, self.hidden, "w+")
        return room

    def _map_files(self, folder: Path) -> None:
        """Open what another process keeps in a folder, beside what is open already."""
        document = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
        for each in {States(*each) for each in document["kept"]} - self._kept.keys():
            self._kept[each] = _mapped(folder / each.name, self._rows(each), self.hidden, "c")


def prefix_of(
    encoder: Encoder, ids: Collection[Sequence[int]], *, memory_bytes: float = MEMORY_BYTES
) -> Prefix:
    """Begin a prefix of an encoder as it is now; nothing is computed yet.

    Args:
        encoder: The network. It may train only once all that is needed has been computed: give
            a copy where it trains earlier.
        ids: The token ids of all texts that runs will train and validate on.
        memory_bytes: States beyond this much go to files.
    """
    return Prefix(
        DistinctTexts(ids),
        fingerprint=encoder.fingerprint(),
        hidden=encoder.hidden,
        layers=encoder.layers,
        encoder=encoder,
        memory_bytes=memory_bytes,
    )


def open_prefix(folder: Path) -> Prefix:
    """Open what another process gave to `Prefix.share`, to read; it computes nothing itself.

    Raises:
        ValueError: If there is no prefix in the folder.
    """
    try:
        document = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
        flat = np.fromfile(folder / _IDS, dtype=np.int64)  # (all tokens,)
    except (OSError, json.JSONDecodeError) as error:
        raise ValueError(f"{folder} holds no prefix: {error}") from error
    ends = np.cumsum(document["lengths"], dtype=np.int64)  # (texts,)
    ids = [part.tolist() for part in np.split(flat, ends[:-1])] if len(ends) else []
    found = Prefix(
        DistinctTexts(ids),
        fingerprint=document["fingerprint"],
        hidden=document["hidden"],
        layers=document["layers"],
    )
    found._read_from = folder
    found._map_files(folder)
    return found


def reserve(path: Path, size: int) -> None:
    """Make a file whose room is taken on the disk, so that writing to it as memory cannot fail.

    Args:
        path: The file.
        size: In bytes.

    Raises:
        RuntimeError: If there is not as much room, where the system can tell.
    """
    try:
        with path.open("wb") as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)  # else a full disk kills by SIGBUS
            else:
                file.truncate(size)
    except OSError as error:
        raise RuntimeError(
            f"{size / 1e6:,.1f} MB of states do not fit into {path.parent.parent} "
            f"({error.strerror}): let more of them lie in memory, or set TMPDIR to another folder"
        ) from error


def _mapped(path: Path, rows: int, hidden: int, mode: str) -> Tensor:
    """Map a file as states, (rows, hidden); no file can be mapped that holds nothing."""
    if not rows:
        return torch.empty(0, hidden)
    if mode == "w+":
        reserve(path, 4 * rows * hidden)
        mode = "r+"
    states = np.memmap(path, dtype=np.float32, mode=mode, shape=(rows, hidden))  # type: ignore[call-overload]
    return torch.from_numpy(states)  # (rows, hidden)


@contextlib.contextmanager
def _at_rest(encoder: Encoder) -> Iterator[None]:
    """Run a block in which no weight trains, each one packed: the same bits whoever asks."""
    trained = [weight for weight in encoder.parameters() if weight.requires_grad]
    for weight in trained:
        weight.requires_grad_(False)
    try:
        with eval_mode(encoder):
            if isinstance(encoder.backbone, Bert):
                encoder.backbone.pack(again=False)
            yield
    finally:
        for weight in trained:
            weight.requires_grad_(True)
