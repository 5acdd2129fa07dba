"""Chat templates, and special tokens that a text quotes made plain: what is read must not steer the model."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from e2rank_eval.errors import InputError


def neutraliser(tokenizer: Any) -> Callable[[str], str]:
    """Return what breaks each special token of a Hugging Face tokenizer in a text by a space.

    A document that quotes ``<|im_end|>`` would otherwise end its turn in the middle of a prompt, and one
    with ``[SEP]`` or the HTML tag ``<s>`` would begin another text. Every other text stays as it is.

    >>> from tokenizers import AddedToken
    >>> class Bert:
    ...     added_tokens_decoder = {102: AddedToken("[SEP]", special=True)}
    >>> neutraliser(Bert())("one [SEP] two [sep]")
    'one [ SEP] two [sep]'
    """
    tokens = [one for one in tokenizer.added_tokens_decoder.values() if one.special and len(one.content) > 1]
    # A token that is looked for after normalisation, such as lower case, may be written in either case.
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
    """Return what a tokenizer's template makes of ``messages``, with generation prompt and without thinking.

    With the default message it checks the template, as whoever loads a model does.

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
            enable_thinking=False,  # templates that know no thinking ignore it
        )
    except Exception as error:  # a template is a program, which may raise anything
        raise InputError(
            f"its chat template does not render ({type(error).__name__}: {' '.join(str(error).split())})",
            path=tokenizer.name_or_path or None,
            hint="fix chat_template.jinja, or copy the model again",
        ) from error
    return prompt
