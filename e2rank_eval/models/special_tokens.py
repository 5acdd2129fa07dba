"""Chat templates, and the neutralisation of special tokens in texts, so that these cannot steer a model."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from e2rank_eval.errors import InputError


def neutraliser(tokenizer: Any) -> Callable[[str], str]:
    """Return a function that inserts a space into each special token of the tokenizer in a text.

    A document with ``<|im_end|>`` would otherwise end its turn in the middle of a prompt, and one with
    ``[SEP]`` or the HTML tag ``<s>`` would begin another text. Texts without special tokens are unchanged.

    >>> from tokenizers import AddedToken
    >>> class Bert:
    ...     added_tokens_decoder = {102: AddedToken("[SEP]", special=True)}
    >>> neutraliser(Bert())("one [SEP] two [sep]")
    'one [ SEP] two [sep]'
    """
    tokens = [one for one in tokenizer.added_tokens_decoder.values() if one.special and len(one.content) > 1]
    # Tokens that are matched after normalisation, such as lowercasing, are matched in any case.
    patterns = [
        f"(?i:{re.escape(one.content)})" if one.normalized else re.escape(one.content)
        for one in sorted(tokens, key=lambda one: -len(one.content))
    ]
    if not patterns:
        return str
    found = re.compile("|".join(patterns))
    return lambda text: found.sub(lambda match: f"{match[0][:1]} {match[0][1:]}", text)


def render_chat(
    tokenizer: Any, messages: Sequence[Mapping[str, str]] = ({"role": "user", "content": "text"},)
) -> str:
    """Return ``messages`` rendered by the chat template, with generation prompt and without thinking.

    Loaders call it with the default message to check the template.

    Raises
    ------
    InputError
        When the template fails.
    """
    try:
        prompt: str = tokenizer.apply_chat_template(
            list(messages),
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=False,  # ignored by templates without thinking
        )
    except Exception as error:  # a template is a program, which may raise anything
        raise InputError(
            f"its chat template does not render ({type(error).__name__}: {' '.join(str(error).split())})",
            path=tokenizer.name_or_path or None,
            hint="fix chat_template.jinja, or copy the model again",
        ) from error
    return prompt
