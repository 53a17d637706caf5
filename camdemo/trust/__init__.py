"""Trust: putting a map's claim to the test."""
