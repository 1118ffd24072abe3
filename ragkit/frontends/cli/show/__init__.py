"""How the command line shows values: answers, reports, models, settings, in the user's language.
Values go in and text goes to the terminal; it imports what `frontends` may import."""
