"""Requests to model servers: addresses, deadlines, retries, and foreign errors turned into ours.
A request goes in and JSON or a stream of it comes out; it imports what `models` may import."""
