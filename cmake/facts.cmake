# Compiles data/*.json into constant tables.
