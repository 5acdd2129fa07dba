"""E2Rank's encoder: a causal language model with last-token pooling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from e2rank_eval.errors import InputError
from e2rank_eval.models.encoders.backbone import Backbone, BackboneEncoder, TokenSequence
from e2rank_eval.models.encoders.base import Kind
from e2rank_eval.models.encoders.prompts import query_input, render_listwise
from e2rank_eval.models.registry import ModelEntry
from e2rank_eval.models.special_tokens import render_chat
from e2rank_eval.models.truncation import share_budget, token_ends
from e2rank_eval.records import ListwiseInput


class DecoderEncoder(BackboneEncoder):
    """Documents and queries end in ``end_of_text``; the listwise prompt ends in the generation prompt.

    Inputs (paper, section 3; official ``eval.py``): document ``text<|endoftext|>``; query
    ``Instruct: ...\\nQuery:...<|endoftext|>``; listwise prompt as one user turn of the chat template with
    thinking disabled, and no end-of-text token. Special tokens in texts are broken up (the official code
    does not do so). Sequences are padded on the right and pooled at the last real token, which under causal
    attention equals padding on the left. ``document_tokens`` and ``query_tokens`` include the end-of-text
    token; texts in a listwise prompt have the same limits.

    Raises
    ------
    InputError
        When the vocabulary lacks the end-of-text token, the chat template does not render, or a limit exceeds
        the window.
    """

    def __init__(
        self,
        backbone: Backbone,
        entry: ModelEntry,
        file_hashes: Mapping[str, str],
        *,
        prompt: str,
        document_tokens: int | None = None,
    ) -> None:
        vocabulary, end = backbone.tokenizer.get_vocab(), entry.end_of_text
        if end is None or end not in vocabulary:
            raise InputError(
                f"end-of-text token {end!r} of {entry.title} is not in its vocabulary",
                hint="set end_of_text in the model registry",
            )
        if backbone.tokenizer.chat_template:
            render_chat(backbone.tokenizer)
        self._end_of_text = end
        self._instruction = entry.query_instruction
        self._prompt = prompt
        plain = {"prompt": given} if (given := entry.prompts.get("query")) else {}
        super().__init__(
            backbone,
            entry,
            before=backbone.special_ids()[0],
            after=[int(vocabulary[end])],
            document_tokens=document_tokens or entry.document_tokens,
            query_tokens=entry.query_tokens,
            documents={"files": dict(file_hashes), "pooling": "last token", "end_of_text": end},
            queries={"instruction": self._instruction, "listwise": prompt, **plain},
            prompts=dict(entry.prompts.items()),
        )

    def _token_ids(self, texts: Sequence[str], kind: Kind) -> list[list[int]]:
        given = [self.backbone.neutral(text) for text in texts]
        if kind == "query" and self._instruction is not None:
            given = [query_input(self._instruction, text) for text in given]
        else:
            given = [self.prompts.get(kind, "") + text for text in given]
        return self.backbone.token_ids(given)

    def _sequence(self, ids: Sequence[int], kind: Kind) -> TokenSequence:  # noqa: ARG002
        return TokenSequence(tuple(ids), len(ids) - 1, len(ids))

    def listwise_input(self, given: ListwiseInput) -> tuple[TokenSequence, int, str]:
        """Return the rendered prompt as a token sequence, the number of its cut texts, and its text.

        If the prompt exceeds the window, the documents are cut to fair shares of the remaining tokens.

        Raises
        ------
        InputError
            When the tokenizer has no chat template, or the prompt exceeds the window even without
            its documents' texts.
        """
        tokenizer = self.backbone.tokenizer
        if not tokenizer.chat_template:
            raise InputError(
                f"the tokenizer of {self.name} has no chat template, which the listwise prompt needs",
                hint="use prompt: query-only, or a model with a chat template",
            )
        window = self.backbone.window
        query, *documents = [self.backbone.neutral(text) for text in (given.query, *given.documents)]
        query_ends, *ends = token_ends(tokenizer, [query, *documents])
        query = _cut(query, query_ends, self._limits["query"])
        shares = [min(len(one), self._limits["document"]) for one in ends]
        while True:
            prompt = self._rendered(query, [_cut(*one) for one in zip(documents, ends, shares, strict=True)])
            ids = self.backbone.token_ids([prompt])[0]
            excess = len(ids) - window
            if excess <= 0:
                cut = sum(len(one) > share for one, share in zip(ends, shares, strict=True))
                return (
                    self._sequence(ids, "query"),
                    cut + int(len(query_ends) > self._limits["query"]),
                    prompt,
                )
            if not any(shares):
                raise InputError(
                    f"a listwise prompt of {len(ids)} tokens even without the documents' texts exceeds the "
                    f"window of {window}", hint="lower prompt_documents",
                )  # fmt: skip
            # In the prompt a cut text may have another number of tokens than alone, so one cut may not do.
            shares = share_budget(shares, max(0, sum(shares) - excess))

    def _rendered(self, query: str, documents: Sequence[str]) -> str:
        content = render_listwise(self._prompt, query, documents, end_of_text=self._end_of_text)
        return render_chat(self.backbone.tokenizer, [{"role": "user", "content": content}])


def _cut(text: str, ends: Sequence[int], tokens: int) -> str:
    """Return ``text`` up to its ``tokens``-th token; ``ends`` are the offsets where its tokens end."""
    if len(ends) <= tokens:
        return text
    return text[: ends[tokens - 1]] if tokens else ""
