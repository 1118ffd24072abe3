"""What ragkit says to people: messages that carry a code and values, and the catalogues that hold their texts.
A message goes in and a sentence in the reader's language comes out; it imports only the standard library."""
