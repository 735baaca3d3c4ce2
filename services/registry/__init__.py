"""Models and SAEs of this server: registered, described, measured, taken out of use."""
