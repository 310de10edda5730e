"""The one exception of the evaluation room."""


class PredictionError(ValueError):
    """A prediction folder that cannot be evaluated; says what is wrong and how to mend it."""
