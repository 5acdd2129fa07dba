"""Kinds of figures, each registered by a module of this package; `e2rank-eval figure` writes them."""

from __future__ import annotations

from e2rank_eval.report.collect import Results
from e2rank_eval.report.drawing import Drawing, forms, style
from e2rank_eval.report.outputs import Outputs
from e2rank_eval.store.layout import FIGURE


class _Figures(Outputs[Drawing]):
    def build(self, results: Results, identifier: str) -> Drawing:
        with style():
            return super().build(results, identifier)


FIGURES = _Figures("figure", "e2rank_eval.report.figures", FIGURE, forms)
