"""Durable jobs: accepted once, worked on by whoever holds the lease, resumed where they were.

A job is a row. Whoever works on it writes under the number of its attempt, so that a worker that
was taken for dead changes nothing when it comes back (fencing). Work may be done twice, its
results count once.
"""
