"""A search's report: its page, its charts and the files of its trials."""
