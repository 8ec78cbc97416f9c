"""The models of a site and of an event, under one name for the rooms that use them."""

from __future__ import annotations

from event.base_model import Model
from event.event_model import (
    ClusterOverride,
    Clusters,
    Contextualize,
    EgressRule,
    Event,
    EventNetwork,
    IngressRule,
    InstructorNode,
    Level,
    NodeGroup,
    NodeGroupOverride,
    OwnStep,
    Participants,
)
from event.services_model import HostAccess, Service, Ssh
from event.site_model import (
    Api,
    BackupJob,
    ExposedNetwork,
    Host,
    Image,
    Lab,
    LabVolume,
    Overcommit,
    Site,
    SiteNetwork,
    SiteUser,
    Storage,
)

__all__ = [
    "Api",
    "BackupJob",
    "ClusterOverride",
    "Clusters",
    "Contextualize",
    "EgressRule",
    "Event",
    "EventNetwork",
    "ExposedNetwork",
    "Host",
    "HostAccess",
    "Image",
    "IngressRule",
    "InstructorNode",
    "Lab",
    "LabVolume",
    "Level",
    "Model",
    "NodeGroup",
    "NodeGroupOverride",
    "Overcommit",
    "OwnStep",
    "Participants",
    "Service",
    "Site",
    "SiteNetwork",
    "SiteUser",
    "Ssh",
    "Storage",
]
