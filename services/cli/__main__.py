"""`python -m services.cli`, for a checkout that is not installed."""

from __future__ import annotations

from services.cli.main import main

main()
