"""Serving over HTTP. `models_app` is the embedded models behind the Ollama and OpenAI APIs."""
