"""`rollout delete`: a Rollout, or a policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rollout.cli.arguments import Shape, SomeNames, Written
from rollout.cli.connection import Connection, asks_server, key_of
from rollout.cli.get import POLICIES
from rollout.cli.running import ask

if TYPE_CHECKING:
    from rollout.api.models import Deleted, PolicyItem
    from rollout.cli.client import ApiClient


@asks_server
def delete(
    connection: Connection,
    names: SomeNames,
    *,
    cluster: Annotated[
        bool, typer.Option("--cluster", help="With policies: the ClusterRolloutPolicy of this name.")
    ] = False,
    output: Written = Shape.TEXT,
) -> None:
    """Delete a Rollout: the controller gives all weight to stable first, then lets it go.

    `rollout delete policies NAME` deletes a policy; a Rollout that is itself called policies is NAMESPACE/policies.
    """
    of_policies = names[0] == POLICIES
    if cluster and not of_policies:
        raise typer.BadParameter("goes with policies", param_hint="--cluster")
    if of_policies and len(names) == 1:
        raise typer.BadParameter("which policy?", param_hint="NAME")
    keys = [key_of(name, connection) for name in names[of_policies:]]
    if of_policies:
        keys = [("" if cluster else namespace, name) for namespace, name in keys]
    gone = ask(connection, lambda api: _gone(api, keys, of_policies=of_policies, said=output is Shape.TEXT))
    if output is not Shape.TEXT:
        from rollout.cli.outputs import write

        write(gone[0] if len(gone) == 1 else {"items": gone}, output)


async def _gone(
    api: ApiClient, keys: list[tuple[str, str]], *, of_policies: bool, said: bool
) -> list[Deleted | PolicyItem]:
    """Delete one after the other and return the answers; each is said at once, since the next may fail."""
    from rollout.cli.texts import safe

    found: list[Deleted | PolicyItem] = []
    for namespace, name in keys:
        if of_policies:
            policy = await api.delete_policy(namespace, name)
            sentence = f"{policy.kind} {f'{namespace}/' if namespace else ''}{name}: deleted"
            found.append(policy)
        else:
            deleted = await api.delete(namespace, name)
            sentence = f"{namespace}/{name}: {deleted.message}"
            found.append(deleted)
        if said:
            typer.echo(safe(sentence))
    return found
