"""The HTTP service. Routes are a table (`routes`), requests are parsed into typed values before a handler sees them."""
