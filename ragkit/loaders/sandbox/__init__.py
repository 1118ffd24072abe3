"""Reading in a child process with limits of time, memory and size and without a network, so that a hostile file
costs one line. Paths go in and `Loaded` values come out; it imports the other rooms of `loaders`."""
