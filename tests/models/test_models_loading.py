"""Every call that loads part of a checkpoint states that its code must not run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import e2rank_eval

_LOADERS = {"from_pretrained", "from_config", "CrossEncoder", "SentenceTransformer", "SparseEncoder",
            "MultiVectorEncoder", "LLM"}  # fmt: skip
_HOLD_NO_CODE = {"PeftModel", "GenerationConfig"}


def loading_calls(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            of = getattr(called.value, "id", "") if isinstance(called, ast.Attribute) else ""
            if name in _LOADERS and of not in _HOLD_NO_CODE:
                yield node


def test_every_call_that_loads_forbids_the_checkpoints_code() -> None:
    found, silent = 0, []
    for path in sorted(Path(e2rank_eval.__file__).parent.rglob("*.py")):
        for call in loading_calls(ast.parse(path.read_text())):
            found += 1
            given = {key.arg: key.value for key in call.keywords}
            value = given.get("trust_remote_code")
            if not (isinstance(value, ast.Constant) and value.value is False):
                silent.append(f"{path.name}:{call.lineno}")
    assert found > 5
    assert not silent
