"""The settings: one checked value a section, and where they come from (command line, environment, file, default).
Names and texts go in and a `Config` comes out; it imports `types` and `i18n`."""
