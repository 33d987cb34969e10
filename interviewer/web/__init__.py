"""The web chat: a Gradio app mounted on FastAPI."""
