"""E2Rank's own kind of encoder: a causal language model, the final hidden state of the last token."""

from __future__ import annotations

from collections.abc import Sequence

from e2rank_eval.errors import InputError
from e2rank_eval.models.encoders.base import Encoded, Kind
from e2rank_eval.models.encoders.tokenised import TokenisedModel, TokenSequence, text_limits
from e2rank_eval.models.truncation import share_budget
from e2rank_eval.records import ListwiseInput
from e2rank_eval.rerankers.prompts.e2rank import query_input, render_listwise
from e2rank_eval.store.files import sha256_json


class DecoderEncoder:
    """Documents and queries end in ``end_of_text``; the listwise prompt ends in the generation prompt.

    Inputs (paper, section 3; official ``eval.py``): document ``text<|endoftext|>``; query
    ``Instruct: ...\\nQuery:...<|endoftext|>``; listwise prompt as one user turn of the chat template with
    thinking disabled, and no end-of-text token. Sequences are padded on the right and read out at the
    last real token, which under causal attention equals padding on the left. ``document_tokens`` and
    ``query_tokens`` count the end-of-text token; the listwise prompt keeps to the same limits.

    Raises
    ------
    InputError
        When the tokenizer has no such end-of-text token, or a limit exceeds the window.
    """

    def __init__(
        self,
        states: TokenisedModel,
        *,
        name: str,
        document_tokens: int,
        query_tokens: int,
        end_of_text: str | None,
        instruction: str | None,
        prompt: str,
        origin: dict[str, object],
    ) -> None:
        self.name = name
        self.dimension = states.dimension
        self.states = states
        self._instruction = instruction
        self._prompt = prompt
        self._before, _ = states.special_ids()
        self._end_id = _end_of_text_id(states, name, end_of_text)
        self._end_of_text = str(end_of_text)
        self._limits = text_limits(
            states, name, specials=len(self._before) + 1, document=document_tokens, query=query_tokens
        )
        plain = origin | {"pooling": "last token", "dtype": states.dtype, "end_of_text": self._end_of_text}
        self.document_fingerprint = sha256_json(plain | {"document_tokens": document_tokens})
        self.fingerprint = sha256_json(
            {
                "documents": self.document_fingerprint,
                "query_tokens": query_tokens,
                "instruction": instruction,
                "window": states.window,
                "listwise": prompt,
            }
        )

    def encode(self, texts: Sequence[str], kind: Kind) -> Encoded:
        """Each text by itself, cut at the limit of its kind before the end-of-text token is added."""
        rows = self.plain_inputs(texts, kind)
        sequences = [sequence for sequence, _ in rows]
        return Encoded(
            self.states.vectors(sequences, stable=kind == "document"),
            tokens=tuple(len(sequence.ids) for sequence in sequences),
            truncated=tuple(cut for _, cut in rows),
        )

    def plain_inputs(self, texts: Sequence[str], kind: Kind) -> list[tuple[TokenSequence, int]]:
        """What each text is read as, and 1 where its limit cut it, else 0."""
        limit = self._limits[kind]
        given = texts if kind == "document" else [query_input(self._instruction, text) for text in texts]
        contents = self.states.token_ids(given)
        return [
            (_read_at_end([*self._before, *content[:limit], self._end_id]), int(len(content) > limit))
            for content in contents
        ]

    def encode_listwise(self, inputs: Sequence[ListwiseInput]) -> Encoded:
        """The state of the generation prompt's last token, after query and documents.

        Where the prompt would exceed the window, the documents share out what room the rest leaves. A
        cut query counts in ``truncated`` like a cut document.

        Raises
        ------
        InputError
            When the tokenizer has no chat template, or the prompt exceeds the window even without
            its documents' texts.
        """
        rows = [self._fitted(one) for one in inputs]
        sequences = [_read_at_end(ids) for _, ids, _ in rows]
        return Encoded(
            self.states.vectors(sequences, stable=False),
            tokens=tuple(len(sequence.ids) for sequence in sequences),
            truncated=tuple(cut for *_, cut in rows),
            prompts=tuple(prompt for prompt, *_ in rows),
        )

    def listwise_input(self, given: ListwiseInput, *, window: int | None = None) -> tuple[TokenSequence, int]:
        """What a query with its documents is read as, and how many of its texts were cut.

        ``window`` lowers the number of tokens that it may have.
        """
        _, ids, cut = self._fitted(given, window)
        return _read_at_end(ids), cut

    def synchronise(self) -> None:
        self.states.synchronise()

    def _fitted(self, given: ListwiseInput, window: int | None = None) -> tuple[str, tuple[int, ...], int]:
        """Prompt, its token ids, and how many of its texts were cut to fit the limits and the window."""
        if not self.states.tokenizer.chat_template:
            raise InputError(
                f"the tokenizer of {self.name} has no chat template, which the listwise prompt needs",
                hint="use prompt: query-only, or a model with a chat template",
            )
        window = window or self.states.window
        query_ends, *ends = self.states.token_ends([given.query, *given.documents])
        query = _cut(given.query, query_ends, self._limits["query"])
        shares = [min(len(one), self._limits["document"]) for one in ends]
        while True:
            documents = [_cut(*one) for one in zip(given.documents, ends, shares, strict=True)]
            prompt, ids = self._rendered(query, documents)
            excess = len(ids) - window
            if excess <= 0:
                cut = sum(len(one) > share for one, share in zip(ends, shares, strict=True))
                return prompt, ids, cut + int(len(query_ends) > self._limits["query"])
            if not any(shares):
                raise InputError(
                    f"a listwise prompt of {len(ids)} tokens even without the documents' texts exceeds the "
                    f"window of {window}", hint="lower prompt_documents",
                )  # fmt: skip
            # A cut text may tokenise into a token more or less beside its new neighbour: hence again.
            shares = share_budget(shares, max(0, sum(shares) - excess))

    def _rendered(self, query: str, documents: Sequence[str]) -> tuple[str, tuple[int, ...]]:
        tokenizer = self.states.tokenizer
        content = render_listwise(self._prompt, query, documents, end_of_text=self._end_of_text)
        prompt: str = tokenizer.apply_chat_template(
            [{"role": "user", "content": content}],
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=False,  # templates that know no thinking ignore it
        )
        return prompt, tuple(self.states.token_ids([prompt])[0])


def _cut(text: str, ends: Sequence[int], tokens: int) -> str:
    """``text`` up to its ``tokens``-th token; ``ends`` are the offsets where its tokens end."""
    if len(ends) <= tokens:
        return text
    return text[: ends[tokens - 1]] if tokens else ""


def _read_at_end(ids: Sequence[int]) -> TokenSequence:
    return TokenSequence(tuple(ids), len(ids) - 1, len(ids))


def _end_of_text_id(states: TokenisedModel, name: str, token: str | None) -> int:
    known = states.tokenizer.get_vocab()
    if token is None or token not in known:
        raise InputError(
            f"end-of-text token {token!r} of {name} is not in its vocabulary",
            hint="set end_of_text in the model registry",
        )
    return int(known[token])
