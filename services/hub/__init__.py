"""The model hub: what a repository holds, and downloads that resume and are verified."""

from services.hub.client import Hub
from services.hub.interruptible import Stopped
from services.hub.listing import RepoFile, RepoListing

__all__ = ["Hub", "RepoFile", "RepoListing", "Stopped"]
