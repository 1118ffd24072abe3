"""Small files beside an index: conversations, the last answer, replies and thresholds that are kept.
Values go in and come out again as they were; it imports what `store` may import."""
