"""Answers beside the trials of a search: is the encoder worth it, and does a blend of models help?"""
