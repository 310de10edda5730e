"""The engine that reproduces papers: from a description of a paper to its page of results."""
