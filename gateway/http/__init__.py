"""HTTP: REST routes, the page and its files, health."""
