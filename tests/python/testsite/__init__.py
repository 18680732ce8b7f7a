"""A small Django site with every spelling of a route."""
