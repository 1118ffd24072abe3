"""The embedded models over the APIs of Ollama and OpenAI, for any client of theirs. Requests go in and replies come
out; it imports what `frontends` may import, and sees the models through the port `LocalModels`."""
