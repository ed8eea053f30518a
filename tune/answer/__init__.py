"""The answer of a search beside its trials: is the encoder worth it, and is a blend of models better?"""
