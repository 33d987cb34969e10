"""A mock interviewer for LLM-engineer interviews, grounded in the candidate's notes."""

__version__ = "0.1.0"
