"""Measuring an index: data sets and questions in, figures out."""
