"""What a search answers beside its trials: is the encoder worth it, and are several models as one better?"""
