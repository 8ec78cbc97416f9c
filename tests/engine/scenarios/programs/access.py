"""Who may do what: pool, its members, user, group, role, entry of the access list, token."""

from __future__ import annotations

import os

import pulumi
import pulumi_proxmoxve as proxmox
from pulumi_proxmoxve import pool, user

UPDATED = os.environ["SCENARIO_STEP"] == "update"
WORD = "new" if UPDATED else "old"

course = proxmox.PoolLegacy("pool", pool_id="course", comment=WORD)
pool.Membership("pool-membership", pool_id=course.pool_id, vm_id=100)
group = proxmox.GroupLegacy("group", group_id="teachers", comment=WORD)
role = proxmox.RoleLegacy(
    "role", role_id="Operator", privileges=["VM.Audit", "VM.PowerMgmt"][: 2 if UPDATED else 1]
)
teacher = proxmox.UserLegacy(
    "user",
    user_id="ada@pve",
    groups=[group.group_id],
    comment=WORD,
    first_name="Ada",
    password=pulumi.Output.secret("a-password-of-tests"),
)
proxmox.Acl(
    "acl",
    path="/pool/course",
    role_id=role.role_id,
    group_id=group.group_id,
    propagate=not UPDATED,
    opts=pulumi.ResourceOptions(depends_on=[course]),
)
user.Token(
    "token", user_id=teacher.user_id, token_name="ci", comment=WORD, privileges_separation=True
)
