"""Readers of formats that are text: plain text, Markdown, HTML, XML, JSON, Org, TeX, code, subtitles, notebooks.
Bytes go in and a `Document` comes out; it imports `loaders.building`."""
