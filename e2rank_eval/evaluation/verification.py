"""Comparison of a model's cosines with those that its authors published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from e2rank_eval.errors import InputError
from e2rank_eval.models.checkpoints import device, dtype_on
from e2rank_eval.models.encoders.backbone import BackboneEncoder, TokenSequence
from e2rank_eval.models.encoders.base import Vectors
from e2rank_eval.models.encoders.prompts import VARIANTS
from e2rank_eval.models.loading import load_encoder
from e2rank_eval.models.references import Catalogue
from e2rank_eval.models.registry import PLAIN, ModelEntry, Published, published_cosines
from e2rank_eval.records import ListwiseInput

_E2RANK_INSTRUCTION = "Given a web search query, retrieve relevant passages that answer the query"


@dataclass(frozen=True, slots=True)
class Verification:
    """The computed cosines ``found[prompt]``; ``worst`` is their largest difference to the published ones.

    ``explanations`` are the changes of prompt, end-of-text token, pooling or dtype with which the model
    does give the published cosines; empty if it gives them without a change.
    """

    published: Published
    found: Mapping[str, Vectors]
    worst: float
    tolerance: float
    explanations: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return self.worst <= self.tolerance

    def rows(self) -> list[dict[str, object]]:
        """Return one row for each published cosine, with ours and the difference."""
        return [
            {"prompt": prompt, "query": query, "document": document, "published": f"{value:.5f}",
             "found": f"{ours:.5f}", "difference": f"{ours - value:+.5f}"}
            for prompt, cosines in self.published.cosines.items()
            for query, row, found in zip(self.published.queries, cosines, self.found[prompt], strict=True)
            for document, value, ours in zip(self.published.documents, row, found, strict=True)
        ]  # fmt: skip

    def verdict(self) -> str:
        """Return one sentence on the largest difference and its explanation."""
        if self.passed:
            return f"verified: the largest difference, {self.worst:.1e}, is within {self.tolerance:g}"
        explained = ", or ".join(self.explanations) or "no single change that was tried"
        return (
            f"the largest difference, {self.worst:.1e}, exceeds {self.tolerance:g}; explained by {explained}"
        )


def verify(reference: str, cache: Path) -> Verification:
    """Embed the published examples with a model, given by any reference, and compare the cosines.

    If they differ, other settings are tried, one at a time.

    Raises
    ------
    InputError
        When no cosines of this model are published; it names the models with published cosines.
    UnavailableError
        When the model's files cannot be fetched.
    """
    published, catalogue = published_cosines(), Catalogue(cache)
    name = catalogue.canonical(reference)
    if name not in published:
        raise InputError(
            f"no cosines of {name!r} are published", hint=f"known: {', '.join(sorted(published))}"
        )
    expected, model = published[name], catalogue.resolve(name, "encoder", "decoder")
    entry = model.entry

    def found_with(changed: ModelEntry, pooling: str = "", variant: str = "") -> dict[str, Vectors]:
        found = {}
        for prompt in expected.cosines:
            listwise = variant or prompt if prompt != PLAIN and changed.kind == "decoder" else "eval"
            encoder = load_encoder(model.path, changed, file_hashes=model.files, prompt=listwise)
            found[prompt] = _cosines(expected, encoder, plain=prompt == PLAIN, pooling=pooling)
        return found

    found = found_with(entry)
    worst, tolerance = _difference(expected, found), expected.tolerance[dtype_on(device(), entry.dtype)]
    changes = _changes(entry, list(expected.cosines)) if worst > tolerance else ()
    explained = [
        said
        for said, changed, pooling, variant in changes
        if _difference(expected, found_with(changed, pooling, variant)) <= tolerance
    ]
    return Verification(expected, found, worst, tolerance, tuple(explained))


def _changes(entry: ModelEntry, prompts: list[str]) -> Iterator[tuple[str, ModelEntry, str, str]]:
    """Yield settings that may be wrong: a description, the entry, the pooling and the prompt variant."""
    for instruction in (None, _E2RANK_INSTRUCTION):
        if instruction != entry.query_instruction:
            said = "without an instruction" if instruction is None else f"with instruction {instruction!r}"
            yield (
                f"prompt: queries {said}",
                entry.model_copy(update={"query_instruction": instruction}),
                "",
                "",
            )
    if entry.kind == "decoder":
        for variant in VARIANTS:
            if prompts not in ([PLAIN], [variant]):
                yield f"prompt: listwise variant {variant!r}", entry, "", variant
        for token in ("<|endoftext|>", "<|im_end|>", "</s>"):
            if token != entry.end_of_text:
                yield f"end-of-text token {token}", entry.model_copy(update={"end_of_text": token}), "", ""
    for pooling in ("mean", "first token", "last token"):
        yield f"pooling: {pooling}", entry, pooling, ""
    if device() != "cpu":
        for dtype in ("float32", "bfloat16", "float16"):
            if dtype != entry.dtype:
                yield f"dtype {dtype}", entry.model_copy(update={"dtype": dtype}), "", ""


def _cosines(published: Published, encoder: BackboneEncoder, *, plain: bool, pooling: str) -> Vectors:
    """Return the cosines [queries, documents], with the model's own pooling where ``pooling`` is empty."""
    documents = [sequence for sequence, _ in encoder.plain_inputs(published.documents, "document")]
    if plain:
        queries = [sequence for sequence, _ in encoder.plain_inputs(published.queries, "query")]
    else:
        listed = [ListwiseInput(query, tuple(published.documents)) for query in published.queries]
        queries = [encoder.listwise_input(one)[0] for one in listed]
    vectors = [
        encoder.backbone.vectors([_pooled(one, pooling) for one in given], stable=False)
        for given in (queries, documents)
    ]
    cosines: Vectors = vectors[0] @ vectors[1].T
    return cosines


def _pooled(sequence: TokenSequence, pooling: str) -> TokenSequence:
    last = len(sequence.ids) - 1
    spans = {"mean": (0, last + 1), "first token": (0, 1), "last token": (last, last + 1)}
    start, stop = spans.get(pooling, (sequence.start, sequence.stop))
    return replace(sequence, start=start, stop=stop)


def _difference(published: Published, found: Mapping[str, Vectors]) -> float:
    return max(
        float(np.abs(found[prompt] - np.array(cosines)).max())
        for prompt, cosines in published.cosines.items()
    )
