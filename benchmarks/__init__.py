"""What is measured, and against what: `make bench` prints it all in one run."""
