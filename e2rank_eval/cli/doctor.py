"""The checks of ``doctor``: packages, hub, GPU, disk, data sets and models that a configuration needs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from e2rank_eval.config import read_configuration
from e2rank_eval.config.measurements import MtebSettings
from e2rank_eval.config.reading import load_mapping
from e2rank_eval.datasets.library import hosts
from e2rank_eval.datasets.loaders.beir import find
from e2rank_eval.datasets.loaders.mteb import find_task
from e2rank_eval.datasets.loading import plan
from e2rank_eval.datasets.registry import LIBRARIES, DatasetEntry, registered_dataset
from e2rank_eval.datasets.sources import hub
from e2rank_eval.datasets.sources.fetch import offline
from e2rank_eval.datasets.sources.kinds import HubSource, Source, UrlSource
from e2rank_eval.errors import InputError, SuiteError
from e2rank_eval.graph import Graph
from e2rank_eval.models.checkpoints import device, dtype_on, load_config, load_tokenizer
from e2rank_eval.models.engines import BACKBONES, LANGUAGE_MODELS
from e2rank_eval.models.recognition import content_files, transformer_folder, unfilled
from e2rank_eval.models.references import Catalogue
from e2rank_eval.models.registry import ModelEntry
from e2rank_eval.models.special_tokens import render_chat
from e2rank_eval.registry import nearest
from e2rank_eval.store.files import read_settings

Finding = dict[str, Any]

_FIELDS = {
    "format": "format", "engine": "engine", "longest input": "window", "longest document": "document_tokens",
    "longest query": "query_tokens", "end of text": "end_of_text",
    "relevance prompt": "relevance_prompt", "parameters": "parameters", "licence": "licence",
}  # fmt: skip
"""Label that ``doctor MODEL`` shows -> field of the model's registry entry."""

_NEEDED = ("torch", "transformers", "pytrec_eval-terrier", "ir_measures", "snakemake", "matplotlib")


def examine(config: Path, chosen: Mapping[str, str]) -> list[Finding]:
    """Return findings in reading order, each ``{"question", "answer": yes | no | note, "detail"}``.

    The answer is no where a job of the configuration would fail. ``chosen`` holds lists that replace
    ``systems`` and ``datasets`` of the configuration, as on Snakemake's command line.

    Raises
    ------
    InputError
        When the configuration fails a check.
    """
    graph = Graph({**load_mapping(config), **chosen}, [str(config)])
    models = graph.used_models()
    used = dict.fromkeys(dataset for datasets in graph.retrievals.values() for dataset in datasets)
    ids = [one for name in used if (one := graph.configuration.registry_id(name))]
    _probe(ids)
    cache = graph.configuration.cache
    entries = {name: entry for name in models if (entry := graph.catalogue.known(name))}
    found = [*_packages(graph, entries), *_gpu(entries), _disk(cache), *_hub(graph)]
    found += [_dataset(name, cache) for name in dict.fromkeys(ids)]
    return [*found, *_own_files(graph, used), *(_model(name, graph) for name in models)]


def examine_model(reference: str, config: Path | None) -> list[Finding]:
    """Return one finding for each field of a model's entry: its value, and the file that it was read from.

    The model is downloaded where needed, but not loaded. ``config`` may define further models.

    Raises
    ------
    InputError
        When the reference names no model, or the model is not supported.
    UnavailableError
        When the model cannot be downloaded.
    """
    catalogue = Catalogue.of(read_configuration(config)) if config else Catalogue(Path("cache"))
    model = catalogue.examine(reference)
    entry, evidence = model.entry, model.evidence
    local = entry.server is None and entry.format != "gguf"
    if local:
        _refuse_unreadable(model.path, entry)
    prompts = {k: v for k, v in {"query": entry.query_instruction, **entry.prompts}.items() if v}
    by_prompts = evidence.get("prompts", evidence.get("query_instruction"))
    facts: list[tuple[str, Any, str | None]] = [
        ("kind", " or ".join(model.kinds), evidence.get("kind")),
        ("dtype", f"{dtype_on(device(), entry.dtype)} here, {entry.dtype} on a GPU", evidence.get("dtype")),
        *((shown, getattr(entry, field), evidence.get(field)) for shown, field in _FIELDS.items()),
        ("prompts", prompts, by_prompts),
        ("trained with", ", ".join(f"{k}: {v}" for k, v in entry.reranker.items()), evidence.get("reranker")),
        *_beside_the_weights(model.path),
        ("source", model.source, None),
        ("revision", model.revision, None),
        ("folder", model.path, None),
    ]
    found = [_finding(one, True, f"{value} ({by})" if by else value) for one, value, by in facts if value]
    lacks = unfilled(model.path, entry.kind) if local else []
    detail = f"missing, so random: {', '.join(lacks[:5])}" if lacks else "complete"
    return [*found, _finding("weights", not lacks, detail)]


def _refuse_unreadable(folder: Path, entry: ModelEntry) -> None:
    """Load tokenizer, pooling and added layers, without the weights, and raise any error in them."""
    body = transformer_folder(folder)
    tokenizer = load_tokenizer(body)
    if entry.kind == "decoder" and tokenizer.chat_template:
        render_chat(tokenizer)
    if entry.kind == "encoder" and entry.format == "sentence-transformers":
        from torch import device as place

        from e2rank_eval.models.encoders.form import Pooler, read_form

        Pooler(read_form(folder).head, int(load_config(body).hidden_size), place("cpu"))


def _beside_the_weights(folder: Path) -> Iterator[tuple[str, Any, str]]:
    """Yield label, value and file of pooling, prompts and dimensions in files of sentence-transformers."""
    for path in content_files(folder):
        if path.name == "config_sentence_transformers.json":
            values = read_settings(path)
            yield "prompts", {key: one for key, one in values.get("prompts", {}).items() if one}, path.name
            yield "default prompt", values.get("default_prompt_name"), path.name
            yield "dimensions kept", values.get("truncate_dim"), path.name
        elif path.name == "config.json" and path.parent != folder:
            facts = ", ".join(
                f"{key} {one}" for key, one in read_settings(path).items() if one not in (False, None)
            )
            yield path.parent.name.lstrip("0123456789_").lower(), facts, path.relative_to(folder).as_posix()


def _probe(ids: Sequence[str]) -> None:
    """Probe all hosts concurrently and keep the answers, since each unreachable host takes seconds."""
    if not offline():
        entries = [registered_dataset(name) for name in ids]
        asked = {_host(one) for entry in entries for one in entry.sources if isinstance(one, UrlSource)}
        asked |= {host for entry in entries for host in _library_hosts(entry)}
        with ThreadPoolExecutor() as pool:
            list(pool.map(hub.answers, [hub.endpoint(), *sorted(asked)]))


def _packages(graph: Graph, entries: Mapping[str, ModelEntry]) -> Iterator[Finding]:
    on_vllm = any(entry.engine == "vllm" for entry in entries.values())
    optional = {"vllm": on_vllm, "mteb": bool(graph.mteb_jobs)}
    for name, needed in {**dict.fromkeys(_NEEDED, True), **optional}.items():
        try:
            yield _finding(f"package {name}", True, metadata.version(name))
        except metadata.PackageNotFoundError:
            hint = "install it with: make install" if needed else "not installed; not needed"
            yield _finding(f"package {name}", False if needed else None, hint)


def _gpu(entries: Mapping[str, ModelEntry]) -> Iterator[Finding]:
    import torch

    cores = f"{os.cpu_count()} CPU cores"
    if torch.cuda.is_available():
        names = ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
        yield _finding("GPU", True, f"{names}; {cores}")
        return
    large = [name for name, entry in entries.items() if entry.needs_gpu]
    wanted = f"needed for {', '.join(large)}" if large else "not needed here"
    detail = f"none seen by torch {torch.__version__}; {wanted}; {cores}"
    yield _finding("GPU", False if large else None, detail)


def _disk(cache: Path) -> Finding:
    free = shutil.disk_usage(cache if cache.exists() else Path()).free / 2**30
    return _finding("disk", free > 5, f"{free:.0f} GiB free for cache and results; 5 GiB are needed")


def _hub(graph: Graph) -> Iterator[Finding]:
    """Check the task names of mteb entries, and the hub where candidate lists or tasks are on it."""
    configuration, suites = graph.configuration, []
    lists = [stage for stage in graph.retrievals if configuration.first_stages[stage].needs_hub]
    for name, one in configuration.mteb.items():
        tasks, problem = _tasks(one)
        yield _finding(f"mteb entry {name}", not problem, problem or f"{len(tasks)} tasks")
        suites += [name] if any(tasks.values()) else []
    wanted = [f"candidate lists of {one}" for one in lists] + [f"data of mteb entry {one}" for one in suites]
    if not wanted:
        return
    found = not offline() and hub.reachable()
    detail = f"{hub.endpoint()}{'' if found else ' is out of reach'}; it has {', '.join(wanted)}"
    yield _finding("model hub", found, detail)


def _tasks(suite: MtebSettings) -> tuple[dict[str, bool], InputError | None]:
    """Return whether each task is on the hub, or the error in the names of benchmark and tasks."""
    from e2rank_eval.mteb_suite.local_tasks import local_tasks
    from e2rank_eval.mteb_suite.tasks import wanted_tasks

    own = local_tasks()
    try:
        return {name: name not in own for name in wanted_tasks(suite.benchmark, suite.tasks)}, None
    except InputError as error:
        return {}, error


def _own_files(graph: Graph, used: Iterable[str]) -> Iterator[Finding]:
    """Check the user's data set folders, with the configured split, and the user's run files."""
    for name in used:
        one = graph.configuration.datasets[name]
        if one.path is not None:
            try:
                find(one.path, one.split)
            except InputError as error:
                yield _finding(f"data set {name}", False, error)
            else:
                yield _finding(f"data set {name}", True, f"the folder {one.path}")
    for stage, datasets in graph.retrievals.items():
        files = graph.own_files(stage, datasets)
        missing = [file for file in files if not Path(file).is_file()]
        if files:
            detail = f"no file {', '.join(missing)}" if missing else ", ".join(files)
            yield _finding(f"first stage {stage}", not missing, detail)


def _dataset(name: str, cache: Path) -> Finding:
    (row,), question = plan([name], cache), f"data set {name}"
    if row["state"] in ("own copy", "generated", "fetched"):
        return _finding(question, True, f"{row['state']}: {row['from']}")
    if row["state"] == "manual":
        return _finding(question, False, row["registration"] or row["from"])
    entry = registered_dataset(name)
    if entry.loader not in LIBRARIES:
        return _resolved(question, entry.sources)
    if entry.loader == "mteb":
        try:
            find_task(entry.options["task"])
        except InputError as error:
            return _finding(question, False, error)
    found = [host for host in _library_hosts(entry) if not offline() and hub.answers(host)]
    detail = f"{entry.origin}, {'from ' + found[0] if found else 'whose servers are out of reach'}"
    return _finding(question, bool(found), detail)


def _library_hosts(entry: DatasetEntry) -> list[str]:
    """Return the servers of a library's data set: the user's mirror, then the publishers'."""
    if entry.loader not in LIBRARIES:
        return []
    published = hosts(entry.options["id"]) if entry.loader == "ir_datasets" else []
    found = [hub.endpoint() if "huggingface.co" in host else host for host in published or [hub.endpoint()]]
    return [mirror for mirror in [os.environ.get("E2RANK_MIRROR")] if mirror] + found


def _model(reference: str, graph: Graph) -> Finding:
    catalogue, question = graph.catalogue, f"model {reference}"
    given = catalogue.given(reference)
    engines = {**BACKBONES, **LANGUAGE_MODELS}
    if given.engine not in engines:
        problem = f"unknown engine {given.engine!r}; {nearest(given.engine, engines)}"
        return _finding(question, False, problem)
    if given.server is not None:
        key, url = given.server.key_variable, given.server.base_url
        there = not key or key in os.environ
        return _finding(question, there, url if there else f"set {key}, the key of {url}")
    if catalogue.is_here(reference):
        try:
            model = catalogue.examine(reference)
        except SuiteError as error:
            return _finding(question, False, error)
        return _finding(question, True, f"{' or '.join(model.kinds)} from {model.source}")
    return _resolved(question, catalogue.sources(reference))


def _resolved(question: str, sources: Sequence[Source]) -> Finding:
    """Return yes with the first source that can be reached, or no with the names of all sources."""
    here = next((source.label for source in sources if _within_reach(source)), None)
    return _finding(
        question, here is not None, here or f"out of reach: {'; '.join(s.label for s in sources)}"
    )


def _within_reach(source: Source) -> bool:
    if isinstance(source, HubSource | UrlSource) and offline():
        return False
    if isinstance(source, HubSource):
        return hub.reachable()
    if isinstance(source, UrlSource):
        return hub.answers(_host(source))
    return True  # The package index is the one that pip was configured with.


def _host(source: UrlSource) -> str:
    parts = urlsplit(source.downloads[0].urls[0])
    return f"{parts.scheme}://{parts.netloc}"


def _finding(question: str, holds: bool | None, detail: object) -> Finding:
    """Return an answer to a question; None is a note."""
    answer = "note" if holds is None else "yes" if holds else "no"
    return {"question": question, "answer": answer, "detail": f"{detail}"}
