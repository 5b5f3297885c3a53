"""The keys of a shard. All carry its name as hash tag, so that a script may touch any of them together."""

# A bit of a slot's profile number: there is a row of personal preferences beside it.
PERSONAL = 1 << 31

# records: hash, slot → packed record            profiles: string, 4 bytes a slot (store/profiles.py)
# personal: hash, slot → what is personal        caps: hash, slot → "day count" under the reader's cap
# consents: hash, slot → packed consent          moves: hash, slot → what is to become of it (store/moves.py)
# seen, unreached: strings, 2 bytes a slot (store/activity.py)
# expected: hash, slot → digest of whose first record is to be written there
# gone: hash, slot → digest that the index has yet to forget
# quarantine: hash, slot → profile (4 bytes), moment (13 digits) and record of one whom the push service called gone


def shard_key(shard: str, name: str) -> str:
    return f"{{{shard}}}:{name}"


def shard_keys(shard: str, *names: str) -> list[str]:
    return [shard_key(shard, name) for name in names]
