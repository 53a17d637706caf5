"""More than one machine: the engine's protocol over Ray Serve. Importing this loads no Ray."""
