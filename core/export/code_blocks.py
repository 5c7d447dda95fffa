"""The blocks that scripts to take home are made of: fixed text alone, nothing that people wrote."""

TRAIN = "takes a CSV or JSON Lines file of rows and the folder for what is trained"


def opening(library: str, *, adapts: bool) -> list[str]:
    """Say what a script is, and import what it needs."""
    plain = library == "transformers"
    needs = f"torch {library}" + " peft" * adapts
    name = f"train_{library.replace('-', '_')}.py"
    model = (
        "from transformers import AutoModel, AutoTokenizer"
        if plain
        else "from sentence_transformers import SentenceTransformer"
    )
    return [
        f'"""What a comparison of freezing strategies advised, by plain {library}.',
        "",
        f"pip install {needs}; python {name} rows.csv trained",
        f"It {TRAIN}.",
        '"""',
        "",
        "import csv, json, random, sys",
        "import torch",
        "import torch.nn.functional as F",
        *(["from peft import LoraConfig, get_peft_model"] if adapts else []),
        "from safetensors.torch import save_file",
        "from torch import nn",
        "from torch.nn.utils.rnn import pad_sequence",
        model,
        "",
    ]


def rows() -> list[str]:
    """Read the rows."""
    return [
        "",
        "data, out = sys.argv[1:3]",
        'with open(data, newline="", encoding="utf-8-sig") as file:',
        '    lines = map(json.loads, file) if data.endswith(".jsonl") else csv.DictReader(file)',
        '    rows = [row for row in lines if str(row.get(TEXT) or "").strip()]',
    ]


def encoder(library: str, *, both_ways: bool) -> list[str]:
    """Load the encoder."""
    load = (
        [
            "tokenizer = AutoTokenizer.from_pretrained(ENCODER)",
            "body = AutoModel.from_pretrained(ENCODER).float().to(device)",
        ]
        if library == "transformers"
        else [
            "encoder = SentenceTransformer(ENCODER, device=device).float()",
            "tokenizer, body = encoder.tokenizer, encoder[0].auto_model",
        ]
    )
    told = [
        "body.config.is_causal = False  # a decoder, read in both directions: transformers 5",
        "for module in body.modules():",
        '    if hasattr(module, "is_causal"):',
        "        module.is_causal = False",
    ]
    device = 'device = "cuda" if torch.cuda.is_available() else "cpu"'
    return ["", device, *load, *(told if both_ways else [])]


def heads(*, mixes: bool) -> list[str]:
    """Begin the heads."""
    mixed = [
        "# Each reads a learned average of all layers.",
        "layers_there = body.config.num_hidden_layers + 1",
        "mix = {task: [nn.Parameter(torch.zeros(layers_there, device=device)),",
        "              nn.Parameter(torch.ones((), device=device))] for task in TASKS}",
    ]
    return [
        "",
        "# A linear head for each task; the seed makes them those that Thaw begins with.",
        "torch.manual_seed(SEED)",
        "heads = {task: nn.Linear(body.config.hidden_size, len(TASKS[task])) for task in TASKS}",
        "heads = {task: head.to(device) for task, head in heads.items()}",
        *(mixed if mixes else []),
    ]


def frozen() -> list[str]:
    """Freeze the whole encoder."""
    return ["", "# The encoder is frozen.", "body.eval().requires_grad_(False)", "groups = []"]


def layers() -> list[str]:
    """Find the encoder's layers."""
    return [
        "",
        "# The list that holds the encoder's layers, and its name.",
        "path, layers = next((name, m) for name, m in body.named_modules()",
        "                    if isinstance(m, nn.ModuleList)",
        "                    and len(m) == body.config.num_hidden_layers)",
    ]


def adapters(rank: int) -> list[str]:
    """Put LoRA's adapters in."""
    return [
        "",
        "# Low-rank adapters beside the queries and values of the layers that the heads need.",
        'made_by = ("query", "value", "q_lin", "v_lin", "q", "v", "q_proj", "v_proj")',
        "beside = [name for k, layer in enumerate(layers) if SHARE[k + 1]",
        '          for name, m in layer.named_modules(prefix=f"{path}.{k}")',
        '          if isinstance(m, nn.Linear) and name.split(".")[-1] in made_by]',
        "torch.manual_seed(SEED)",
        f"config = LoraConfig(r={rank}, lora_alpha={2 * rank}, lora_dropout=0.0,"
        " target_modules=beside)",
        "adapted = get_peft_model(body, config)  # in place: `body` has them now",
    ]


def freezing(*, changes: bool, only: str) -> list[str]:
    """Give each weight its part and the optimiser what trains."""
    condition = f" and {only}" if only else ""
    thawed = " and epoch >= THAWS.get(part, 0)" if changes else ""
    modes = [
        "",
        "def trains(part):",
        f"    return SHARE[part] > 0{thawed}",
        "",
        "def set_modes():  # what is frozen runs without dropout",
        "    body.train(trains(0))",
        "    for number, layer in enumerate(layers, 1):",
        "        layer.train(trains(number))",
    ]
    return [
        "",
        "# Freezing: a weight is of part 0, the embeddings and what lies beside the layers, or of",
        "# layer 1, 2 and so on from below. What may train goes to the optimiser.",
        "body.requires_grad_(False)",
        "groups = []",
        "for name, weight in body.named_parameters():",
        '    part = len(layers) if name.split(".")[0] in ("norm", "final_norm") else 0',
        '    if name.startswith(path + "."):',
        '        part = int(name[len(path) + 1 :].split(".")[0]) + 1',
        f'    if SHARE[part] and not name.startswith("pooler"){condition}:',
        "        weight.requires_grad_(True)",
        '        groups.append({"params": [weight], "rate": ENCODER_RATE * SHARE[part],'
        + (' "part": part})' if changes else "})"),
        *modes,
        *([] if changes else ["", "set_modes()"]),
    ]


_TAGS = [
    "",
    'def tags(task, row):  # BIO tags from [{"start": 0, "end": 4, "label": ...}, ...]',
    "    cell = rows[row].get(COLUMN[task])",
    "    spans = json.loads(cell) if isinstance(cell, str) and cell.strip() else cell",
    '    places, special = read["offset_mapping"][row], read["special_tokens_mask"][row]',
    "    if not isinstance(spans, list):",
    "        return torch.full((len(places),), -100)",
    "    found = [-100 if each else 0 for each in special]",
    "    for span in spans:",
    "        inside = [k for k, (start, end) in enumerate(places)",
    '                  if start < min(end, span["end"]) and span["start"] < end]',
    "        for k in inside:",
    '            mark = "B-" if k == inside[0] else "I-"',
    '            found[k] = TASKS[task].index(mark + span["label"])',
    "    return torch.tensor(found)",
]
"""The lines that read spans as a tag for each token."""


def targets(*, token: bool, both_ways: bool) -> list[str]:
    """Cut the sentences into tokens and read the labels."""
    more = [
        "read = tokenizer(texts, truncation=True, max_length=MAX_TOKENS,",
        "                 return_offsets_mapping=True, return_special_tokens_mask=True)",
    ]
    some = "tags(task, row) if task in SPANS else label(task, row)" if token else "label(task, row)"
    return [
        "",
        "# Tokens, and each row's class: -100, which counts for nothing, where TASKS has it not.",
        f"texts = [str(row[TEXT]){' + tokenizer.eos_token' * both_ways} for row in rows]",
        *(more if token else ["read = tokenizer(texts, truncation=True, max_length=MAX_TOKENS)"]),
        'ids = [torch.tensor(each) for each in read["input_ids"]]',
        "",
        "def label(task, row):",
        '    cell = str(rows[row].get(COLUMN[task]) or "").strip()',
        "    return torch.tensor([TASKS[task].index(cell) if cell in TASKS[task] else -100])",
        *(_TAGS if token else []),
        "",
        f"targets = {{task: [{some}",
        "                  for row in range(len(rows))] for task in TASKS}",
        "for task, found in targets.items():  # a label under another name would count for nothing",
        "    known = sum(bool((each != -100).any()) for each in found)",
        '    print(f"{task}: {known} of {len(rows)} rows are labelled")',
    ]


def reading(*, token: bool, mixes: bool, once: bool) -> list[str]:
    """Run the network and take what each head reads."""
    state = (
        "        shares, scale = mix[task][0].softmax(0), mix[task][1]\n"
        "        state = scale * sum(s * each for s, each in zip(shares, states))"
        if mixes
        else "        state = states[READ[task]]"
    )
    mean = "(state * mask[:, :, None]).sum(1) / mask.sum(1)[:, None]"
    keep = [
        "",
        "# Nothing of the encoder trains: each sentence runs through it once, whatever the epochs.",
        "with torch.no_grad():",
        "    kept = [features([row]) for row in range(len(rows))]",
    ]
    return [
        "",
        "# A head of a sentence reads the mean over its tokens"
        + (", one of tokens every token." if token else "."),
        "def features(batch):",
        "    padding, some = tokenizer.pad_token_id or 0, [ids[row] for row in batch]",
        "    padded = pad_sequence(some, batch_first=True, padding_value=padding).to(device)",
        "    mask = pad_sequence([torch.ones_like(each) for each in some], batch_first=True)"
        ".to(device)",
        "    given = body(input_ids=padded, attention_mask=mask, output_hidden_states=True)",
        "    states = given.hidden_states",
        "    found = {}",
        "    for task in TASKS:",
        *state.split("\n"),
        f"        pooled = {mean}",
        "        found[task] = state[mask.bool()] if task in SPANS else pooled"
        if token
        else "        found[task] = pooled",
        "    return found",
        *(keep if once else []),
    ]


def optimiser(*, holds: bool, mixes: bool) -> list[str]:
    """Give the heads to the optimiser too."""
    weights = "[*head.parameters(), *mix[task]]" if mixes else "head.parameters()"
    return [
        "",
        "for task, head in heads.items():",
        *(["    if task in HELD:", "        continue"] if holds else []),
        f'    groups += [{{"params": [weight], "rate": HEAD_RATE}} for weight in {weights}]',
        "for group in groups:  # matrices alone decay",
        '    group["weight_decay"] = DECAY if group["params"][0].ndim > 1 else 0.0',
        "optimizer = torch.optim.AdamW(groups)",
    ]


def training(*, once: bool, changes: bool, holds: bool, penalised: bool) -> list[str]:
    """Train: rates, freezing and order as in Thaw's loop."""
    drop = "F.dropout(found[task], HEAD_DROPOUT" + (", task not in HELD)" if holds else ")")
    some = (
        "found = {task: torch.cat([kept[row][task] for row in batch]) for task in TASKS}"
        if once
        else "found = features(batch)"
    )
    penalty = "loss = loss + HEAD_PENALTY / 2 * head.weight.square().sum()"
    penalties = ["            if task not in HELD:", f"                {penalty}"]
    thaw = [
        "    set_modes()",
        "    for group in optimizer.param_groups:  # what has not thawed gets no gradient",
        '        group["params"][0].requires_grad_("part" not in group or trains(group["part"]))',
    ]
    return [
        "",
        "# Rates rise over the warm-up, then fall to nothing.",
        "draw, step, steps = random.Random(SEED), 0, EPOCHS * -(-len(rows) // BATCH)",
        "rise = max(1, round(WARMUP * steps))",
        "for epoch in range(EPOCHS):",
        *(thaw if changes else []),
        "    # Batches at random, of sentences of like length: there is little padding.",
        "    order = list(range(len(rows)))",
        "    draw.shuffle(order)",
        "    near = [sorted(order[k : k + 16 * BATCH], key=lambda row: len(ids[row]))",
        "            for k in range(0, len(order), 16 * BATCH)]",
        "    batches = [some[k : k + BATCH] for some in near for k in range(0, len(some), BATCH)]",
        "    draw.shuffle(batches)",
        "    for batch in batches:",
        "        now = min((step + 1) / rise, (steps - step) / max(1, steps - rise), 1.0)",
        "        for group in optimizer.param_groups:",
        '            group["lr"] = group["rate"] * now',
        f"        {some}",
        "        loss = 0.0",
        "        for task, head in heads.items():  # the mean over the labels there are, summed",
        "            wanted = torch.cat([targets[task][row] for row in batch]).to(device)",
        f"            scores = head({drop})",
        '            total = F.cross_entropy(scores, wanted, reduction="sum")',
        "            loss = loss + total / (wanted != -100).sum().clamp(min=1)",
        *((penalties if holds else [f"            {penalty}"]) if penalised else []),
        "        optimizer.zero_grad()",
        "        loss.backward()",
        '        nn.utils.clip_grad_norm_([group["params"][0] for group in groups], CLIP)',
        "        optimizer.step()",
        "        step += 1",
        '    print(f"epoch {epoch + 1} of {EPOCHS}: loss {loss.item():.3f}")',
    ]


def saving(*, plain: bool, adapts: bool, mixes: bool) -> list[str]:
    """Write encoder and heads."""
    save = ["body.save_pretrained(out)", "tokenizer.save_pretrained(out)"]
    return [
        "",
        "# The encoder as a folder that loads anywhere; the heads beside it.",
        *(["adapted.merge_and_unload()"] if adapts else []),
        "body.eval()",
        *(save if plain else ["encoder.save(out)"]),
        'weights = {f"{task}.{name}": weight.detach().cpu()',
        "           for task, head in heads.items() for name, weight in head.named_parameters()}",
        *(
            [
                'weights |= {f"{task}.mix.{name}": weight.detach().cpu() for task in TASKS',
                '            for name, weight in zip(("weights", "scale"), mix[task])}',
            ]
            if mixes
            else []
        ),
        'save_file(weights, out + "/heads.safetensors")',
        'with open(out + "/heads.json", "w", encoding="utf-8") as file:',
        '    json.dump({"tasks": TASKS, "read": READ}, file)',
    ]
