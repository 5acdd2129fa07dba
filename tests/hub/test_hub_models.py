"""Models by their ids on a hub: resolved to a commit once, described by mteb's metadata, or refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hub_server import Hub
from tiny_chat_models import write_chat_model
from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

import e2rank_eval as e2
from e2rank_eval.datasets.sources import hub
from e2rank_eval.errors import InputError
from e2rank_eval.models import mteb_metadata
from e2rank_eval.models.references import Catalogue

NAME = "someone/scorer"


def files(folder: Path, *, seed: int = 1) -> dict[str, bytes]:
    """A small cross-encoder as it is published, with files that no model needs."""
    import torch

    torch.manual_seed(seed)
    vocabulary = folder / "vocab.txt"
    folder.mkdir()
    vocabulary.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdef"]))
    BertTokenizerFast(vocab=str(vocabulary), model_max_length=48).save_pretrained(folder)
    shape = {"vocab_size": 11, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    config = BertConfig(num_attention_heads=2, max_position_embeddings=64, num_labels=1, **shape)
    BertForSequenceClassification(config).save_pretrained(folder)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# A scorer\n")
    (folder / "modeling_scorer.py").write_text("raise SystemExit\n")
    (folder / "pytorch_model.bin").write_bytes(b"not read")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, object]]:
    """mteb's model metadata, to which a test may add before they are used."""
    facts: dict[str, dict[str, object]] = {}
    monkeypatch.setattr(mteb_metadata, "_from_mteb", lambda: facts)
    mteb_metadata._read.cache_clear()
    monkeypatch.chdir(tmp_path)
    return facts


def facts(**changes: object) -> dict[str, object]:
    empty = {"types": ["cross-encoder"], "revision": None, "licence": None, "longest": None}
    return {**empty, "parameters": None, "prompts": {}, "needs_code": False, "loader": "", **changes}


def test_an_id_that_nobody_knows_is_the_hubs_current_commit_recorded_once(
    hub_server: Hub, known: object, tmp_path: Path
) -> None:
    commit = hub_server.publish("models", NAME, files(tmp_path / "first"))
    cache = tmp_path / "cache"
    found = Catalogue(cache).resolve(NAME)
    assert (found.reference, found.revision, found.kinds) == (NAME, commit, ("cross-encoder",))
    assert found.path == cache / "models" / "someone+scorer"
    assert {"config.json", "model.safetensors", "README.md"} <= found.files.keys()
    assert not {"modeling_scorer.py", "pytorch_model.bin"} & found.files.keys()
    assert (found.entry.licence, found.entry.window) == ("mit", 48)
    hub_server.publish("models", NAME, files(tmp_path / "second", seed=2))
    again = Catalogue(cache).resolve(NAME)
    assert (again.revision, again.files) == (commit, found.files)


def test_a_commit_after_the_id_is_that_one_under_a_name_of_its_own(
    hub_server: Hub, known: dict[str, dict[str, object]], tmp_path: Path
) -> None:
    known[NAME] = facts(revision="f" * 40)
    commit = hub_server.publish("models", NAME, files(tmp_path / "model"))
    found = Catalogue(tmp_path / "cache").resolve(f"{NAME}@{commit}")
    assert found.revision == commit
    assert found.path.name == f"someone+scorer@{commit}"


def test_mteb_metadata_take_precedence_over_the_checkpoint_and_an_entry_over_both(
    hub_server: Hub, known: dict[str, dict[str, object]], tmp_path: Path
) -> None:
    commit = "0123456789abcdef" * 2 + "01234567"
    known[NAME] = facts(revision=commit, licence="apache-2.0", longest=32, prompts={"query": "query: "})
    hub_server.publish("models", NAME, files(tmp_path / "model"), commit)
    found = Catalogue(tmp_path / "cache", {NAME: {"query_tokens": 8}}).resolve(NAME)
    entry = found.entry
    assert (found.revision, entry.licence, entry.prompts) == (commit, "apache-2.0", {"query": "query: "})
    assert (entry.window, entry.document_tokens, entry.query_tokens) == (48, 32, 8)
    said = [found.evidence[one] for one in ("licence", "document_tokens", "query_tokens", "window")]
    assert said == ["mteb's metadata", "mteb's metadata", "registry entry", "tokenizer_config.json"]


def test_what_mteb_asks_a_yes_or_no_reranker_is_asked_here(
    hub_server: Hub, known: dict[str, dict[str, object]], tmp_path: Path
) -> None:
    known[NAME] = facts(types=["cross-encoder"], loader="Qwen3RerankerWrapper")
    folder = write_chat_model(tmp_path / "model")
    hub_server.publish("models", NAME, {path.name: path.read_bytes() for path in folder.iterdir()})
    found = Catalogue(tmp_path / "cache").resolve(NAME)
    assert (found.kinds, found.entry.relevance_prompt) == (("decoder",), "qwen3-reranker")
    assert found.evidence["relevance_prompt"] == "mteb's metadata"
    derived = e2.load_reranker(NAME, cache=tmp_path / "cache")
    assert derived.settings == {"family": "pointwise-llm", "model": NAME}
    stated = e2.load_reranker(NAME, cache=tmp_path / "cache", family="pointwise-llm", prompt="qwen3-reranker")
    assert derived.ranker.fingerprint == stated.ranker.fingerprint


def test_files_that_contradict_mteb_are_not_evidence(
    hub_server: Hub, known: dict[str, dict[str, object]], tmp_path: Path
) -> None:
    known[NAME] = facts(types=["dense"])
    hub_server.publish("models", NAME, files(tmp_path / "model"))
    with pytest.raises(InputError, match=r"dense by mteb's metadata, but cross-encoder by config\.json"):
        Catalogue(tmp_path / "cache").resolve(NAME)
    own = Catalogue(tmp_path / "cache", {NAME: {"kind": "cross-encoder"}})
    assert own.resolve(NAME).entry.kind == "cross-encoder"


def test_a_model_that_demands_its_own_code_is_refused_before_it_is_fetched(
    hub_server: Hub, known: dict[str, dict[str, object]], tmp_path: Path
) -> None:
    known[NAME] = facts(needs_code=True)
    with pytest.raises(InputError, match=r"someone/scorer needs code of its own.*architecture: native"):
        Catalogue(tmp_path / "cache").resolve(NAME)
    assert not (tmp_path / "cache/models").exists()
    hub_server.publish("models", NAME, files(tmp_path / "model"))
    native = Catalogue(tmp_path / "cache", {NAME: {"architecture": "native"}})
    assert native.resolve(NAME).kinds == ("cross-encoder",)


def test_the_repository_of_a_registry_entry_is_that_entry_without_a_look_at_mteb(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(mteb_metadata, "_from_mteb", lambda: pytest.fail("mteb was asked"))
    catalogue = Catalogue(tmp_path)
    assert catalogue.canonical("Alibaba-NLP/E2Rank-0.6B") == "e2rank-0.6b"
    assert catalogue.name("sentence-transformers/all-MiniLM-L6-v2") == "all-minilm-l6-v2"
    other = f"sentence-transformers/all-MiniLM-L6-v2@{'a' * 40}"
    assert catalogue.canonical(other) == other
    entry = catalogue.entry(other)
    assert entry.title == "all-MiniLM-L6-v2"
    assert [source.revision for source in entry.sources] == ["a" * 40]  # type: ignore[union-attr]
    assert not entry.files


def test_without_a_network_the_reason_is_reported(
    monkeypatch: pytest.MonkeyPatch, known: object, tmp_path: Path
) -> None:
    from e2rank_eval.errors import UnavailableError

    monkeypatch.setattr(hub, "reachable", lambda: False)
    with pytest.raises(UnavailableError, match="someone/scorer: no source could be used"):
        Catalogue(tmp_path / "cache").resolve(NAME)


@pytest.mark.slow
def test_mteb_knows_what_the_suite_relies_on(tmp_path: Path) -> None:
    published = mteb_metadata.published_models(tmp_path)
    assert len(published) > 500
    small = published["intfloat/multilingual-e5-small"]
    assert small.prompts == {"query": "query: ", "document": "passage: "}
    assert (small.licence, small.longest, small.needs_code) == ("mit", 512, False)
    assert published["Qwen/Qwen3-Reranker-0.6B"].loader == "Qwen3RerankerWrapper"
    assert published["nomic-ai/nomic-embed-text-v1"].needs_code
    assert all(one.revision is None or len(one.revision) == 40 for one in published.values())
    (stored,) = tmp_path.glob("mteb-models-*.json")
    assert json.loads(stored.read_text()).keys() == published.keys()
