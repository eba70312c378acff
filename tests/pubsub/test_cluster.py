"""On a Valkey cluster of three shards, each with a replica."""

from tests.valkeys import SHARDS, ValkeyCluster


async def test_a_cluster_is_formed(valkey_cluster: ValkeyCluster) -> None:
    """Every shard has a primary and a replica of its own, and together they have all slots."""
    keys = [f"key {n}" for n in range(50)]
    primaries = [await valkey_cluster.primary_of(key) for key in keys]
    replicas = [await valkey_cluster.replica_of(key) for key in keys]
    assert len(set(primaries)) == len(set(replicas)) == SHARDS
    assert {*primaries, *replicas} == {*valkey_cluster.nodes}
