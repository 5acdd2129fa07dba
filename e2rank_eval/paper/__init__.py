"""The paper's tables as data, an audit of their numbers, and the results that reproduce them."""
