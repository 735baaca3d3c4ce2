"""All configuration, in one frozen object: environment over `.env` over defaults.

Nobody else reads the environment. The README's table and `actiscope doctor` are made from the
descriptions below.
"""

from __future__ import annotations

import getpass
import ipaddress
import re
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    AliasChoices,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.text import storable
from services.validation import invalid

PROJECT_ROOT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """The effective settings; every field is set by `ACTISCOPE_<FIELD>`."""

    model_config = SettingsConfigDict(
        env_prefix="ACTISCOPE_",
        env_file=".env",
        frozen=True,
        extra="ignore",
        populate_by_name=True,
    )

    home: Path = Field(
        PROJECT_ROOT / "data",
        description="data folder, created when missing: database, cache, your models and SAEs",
    )
    host: str = Field(
        "127.0.0.1",
        description="address to listen on; another than loopback needs ACTISCOPE_AUTH_TOKEN",
    )
    port: int = Field(8050, ge=1, le=65535, description="port to listen on")
    allowed_hosts: str = Field(
        "",
        description="further host names, separated by commas, under which browsers may call",
    )
    auth_token: SecretStr | None = Field(
        None,
        description="shared secret of at least 16 characters; when set, every request must carry "
        "it (browser: HTTP Basic password; REST: Authorization: Bearer)",
    )
    database_url: str = Field(
        "",
        description="SQLAlchemy URL; empty: SQLite in the data folder; "
        "teams: postgresql+psycopg://user:password@host/name",
    )
    stores_url: str = Field(
        "",
        description="where activation stores are written and read: a folder or any fsspec URL "
        "(s3://…, gs://…); empty: `stores` in the data folder",
    )
    device: str = Field(
        "auto",
        description="where models run: cpu, mps, cuda or cuda:1; auto takes CUDA, then MPS, "
        "then the CPU",
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto",
        description="precision of the model: auto is float32 on CPU and MPS, bfloat16 on CUDA",
    )
    threads: int = Field(
        0, ge=0, le=1024, description="CPU threads of the model; 0 chooses by the model's size"
    )
    default_model: str = Field(
        "", description="model taken when a request names none; empty: the embedded demo"
    )
    memory_budget_gb: float = Field(
        0,
        ge=0,
        description="memory that loaded models and SAEs may take together, in GB; the ones used "
        "longest ago go first; 0: 80 % of the device's memory",
    )
    hub_endpoint: str = Field(
        "https://huggingface.co",
        validation_alias=AliasChoices("ACTISCOPE_HUB_ENDPOINT", "HF_ENDPOINT"),
        description="where models and SAEs are downloaded from; HF_ENDPOINT is read as well",
    )
    hub_token: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("ACTISCOPE_HUB_TOKEN", "HF_TOKEN"),
        description="access token for gated and private repositories; HF_TOKEN is read as well",
    )
    offline: bool = Field(
        False,
        validation_alias=AliasChoices("ACTISCOPE_OFFLINE", "HF_HUB_OFFLINE"),
        description="download nothing, and say so; HF_HUB_OFFLINE is read as well",
    )
    local_roots: str = Field(
        "",
        description="folders, separated by commas, below which pages and REST may look for models "
        "and SAEs to add, besides the data folder; the command line takes any folder",
    )
    queue_limit: int = Field(
        16, ge=1, le=10_000, description="runs that may wait; one more is answered Busy (429)"
    )
    max_prompt_chars: int = Field(12_000, ge=1, description="longest prompt, in characters")
    max_new_tokens: int = Field(2048, ge=1, description="most tokens that a run may write")
    max_upload_mb: int = Field(
        4096, ge=1, description="largest file that may be sent to become a corpus, in MB"
    )
    job_retention_days: int = Field(
        30, ge=1, le=36_500, description="days that finished jobs are listed; what they made stays"
    )
    user: str = Field(
        "",
        max_length=100,
        description="who labels are written by when nobody says so; empty: your name on this "
        "machine",
    )
    preload: bool = Field(
        True, description="load the default model in the background once the first page is served"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="how much is logged to standard error"
    )

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.expanduser().resolve()

    @field_validator("auth_token")
    @classmethod
    def _no_weak_secret(cls, token: SecretStr | None) -> SecretStr | None:
        if token is None or not token.get_secret_value():
            return None
        if len(token.get_secret_value()) < 16:
            raise ValueError("ACTISCOPE_AUTH_TOKEN must have at least 16 characters")
        return token

    @field_validator("hub_endpoint")
    @classmethod
    def _web_address(cls, url: str) -> str:
        if not re.fullmatch(r"https?://[A-Za-z0-9.\-]+(:[0-9]{1,5})?(/[\w.\-/]*)?", url):
            raise ValueError("ACTISCOPE_HUB_ENDPOINT must be an http or https address")
        return url.rstrip("/")

    @field_validator("hub_token")
    @classmethod
    def _no_empty_token(cls, token: SecretStr | None) -> SecretStr | None:
        return token if token is not None and token.get_secret_value().strip() else None

    @field_validator("device")
    @classmethod
    def _known_device(cls, device: str) -> str:
        if not re.fullmatch(r"auto|cpu|mps|cuda(:[0-9]{1,3})?", device):
            raise ValueError("ACTISCOPE_DEVICE must be auto, cpu, mps, cuda or cuda:N")
        return device

    @field_validator("database_url")
    @classmethod
    def _usable_database_url(cls, url: str) -> str:
        if url:
            from db.engine import check_url  # SQLAlchemy takes long to import

            try:
                check_url(url)
            except ValueError as error:
                raise ValueError(f"ACTISCOPE_DATABASE_URL: {error}") from None
        return url

    @field_validator("stores_url")
    @classmethod
    def _usable_stores_url(cls, url: str) -> str:
        protocol, separator, _ = url.partition("://")
        if not separator:
            return str(Path(url).expanduser().resolve()) if url else ""
        from fsspec.registry import known_implementations

        if protocol.partition("::")[0] not in known_implementations:
            raise ValueError(f"ACTISCOPE_STORES_URL: fsspec knows no protocol {protocol[:40]!r}")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _loopback_or_authenticated(self) -> Settings:
        if not self.is_loopback and self.auth_token is None:
            raise ValueError(
                f"ACTISCOPE_HOST={self.host} can be reached from other machines, and nothing would "
                "ask them who they are: set ACTISCOPE_AUTH_TOKEN (16 characters or more), or keep "
                "the host 127.0.0.1 and use an SSH tunnel"
            )
        return self

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def base_url(self) -> str:
        """The URL under which this machine reaches the server, without a slash at its end."""
        host = self.host
        if host in ("0.0.0.0", "::"):  # noqa: S104  (all addresses: loopback is one of them)
            host = "127.0.0.1"
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def effective_database_url(self) -> str:
        """The database in use: the configured one, or SQLite in the data folder."""
        return self.database_url or f"sqlite:///{self.home / 'actiscope.sqlite'}"

    @property
    def effective_stores_url(self) -> str:
        """Where activation stores lie: as configured, or in the data folder."""
        return self.stores_url or str(self.home / "stores")

    @property
    def author(self) -> str:
        """Who writes labels when nobody says so."""
        if name := storable(self.user).strip():
            return name
        try:
            return storable(getpass.getuser())[:100]
        except (KeyError, OSError, ImportError):  # a container's number without a name
            return "unknown"

    @property
    def open_folders(self) -> tuple[Path, ...]:
        """Folders below which pages and REST may look for models and SAEs."""
        named = (part.strip() for part in self.local_roots.split(","))
        return (self.home, *(Path(part).expanduser().resolve() for part in named if part))

    @property
    def browser_hosts(self) -> frozenset[str]:
        """Host names (without port) under which a browser may call this server."""
        extra = {name.strip().lower() for name in self.allowed_hosts.split(",") if name.strip()}
        return frozenset({"localhost", "127.0.0.1", "::1", self.host.lower()} | extra)


def read_settings(**given: Any) -> Settings:
    """The effective settings; what is `given` goes before environment and `.env`.

    Raises:
        InvalidArgument: a value is wrong, or two contradict each other.
    """
    try:
        return Settings(**given)
    except ValidationError as error:
        raise invalid(error) from None
