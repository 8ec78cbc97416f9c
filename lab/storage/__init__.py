"""Storages as guests use them: volumes, their content, uploads and downloads.

Importing the room registers its handlers. What a storage is (the sections of storage.cfg) is
kept by `lab.sections.storage_config`.
"""

from __future__ import annotations

from lab.storage import content, download, foreign, status, upload
from lab.storage.definitions import contents, is_shared, on_node, storage_config
from lab.storage.status import usage
from lab.storage.volumes import volumes

__all__ = [
    "content",
    "contents",
    "download",
    "foreign",
    "is_shared",
    "on_node",
    "status",
    "storage_config",
    "upload",
    "usage",
    "volumes",
]
