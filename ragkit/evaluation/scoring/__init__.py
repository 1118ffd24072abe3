"""Figures: how good rankings and answers are, and whether two runs differ. Runs and judgements go in and numbers come
out; it imports what `evaluation` may import."""
