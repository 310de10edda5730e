"""Images as training data in DeepReg's folder layout: preparation, splits, reports."""
