from e2rank_eval.api import Reranker as Reranker
from e2rank_eval.api import compare as compare
from e2rank_eval.api import evaluate as evaluate
from e2rank_eval.api import load_dataset as load_dataset
from e2rank_eval.api import load_encoder as load_encoder
from e2rank_eval.api import load_language_model as load_language_model
from e2rank_eval.api import load_reranker as load_reranker
from e2rank_eval.api import read_run as read_run
from e2rank_eval.api import rerank as rerank
from e2rank_eval.api import retrieve as retrieve
from e2rank_eval.api import write_run as write_run

__version__: str
