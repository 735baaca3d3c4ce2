"""What may be asked of a store: validated, the same for pages, REST and the command line."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

STORE_ID = r"^[A-Za-z0-9][A-Za-z0-9._\-]{0,199}$"

StoreId = Annotated[str, StringConstraints(pattern=STORE_ID)]
