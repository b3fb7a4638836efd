"""An executor server, a web app whose code it calls, and a client; `make demo` runs all three."""
