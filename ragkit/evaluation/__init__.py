"""Measuring an index: data sets and questions go in and figures come out. It sees an index through a protocol and
imports `types`, `config`, `i18n` and `text`."""
