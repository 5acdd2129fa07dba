"""What the suite knows by name: data sets, models, reranker families; package data that config/ may overlay."""
