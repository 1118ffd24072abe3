"""The nouns of ragkit: frozen values that pass between the rooms, its errors, and the ports through which the use
cases see the outside world. Everything may import this room; it imports only the standard library and `i18n`."""
